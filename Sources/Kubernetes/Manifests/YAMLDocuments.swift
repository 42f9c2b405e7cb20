import Model
import Yams

/// Manifests in YAML; this file and the folder YAML know which library reads it.
///
/// Documents are parted before they are parsed, because a mistake ends the parser: so it spoils its own document and not those behind it.
enum YAMLDocuments {
    static func read(_ bytes: [UInt8]) -> [ManifestDocument] {
        guard let text = String(validating: bytes, as: UTF8.self) else {
            return [ManifestDocument(number: 1, line: 1, content: .unreadable("is not UTF-8 text"))]
        }
        return YAMLPieces.split(text).enumerated().map { index, piece in
            do {
                let item = try decode(piece.text, as: ManifestItem.self)
                return ManifestDocument(number: index + 1, line: piece.line, content: .item(item ?? ManifestItem(.passedOver)))
            } catch let refusal as YAMLLimits.Refusal {
                return ManifestDocument(number: index + 1, line: piece.line, content: .unreadable(refusal.message))
            } catch let error as YamlError {
                let (line, message) = explain(error)
                return ManifestDocument(
                    number: index + 1, line: piece.line + (line ?? 1) - 1, content: .unreadable("is not valid YAML: \(message)"))
            } catch {
                return ManifestDocument(number: index + 1, line: piece.line, content: .unreadable("is not valid YAML: \(error)"))
            }
        }
    }

    /// One document of YAML as a value; nil where there is nothing in it.
    static func decode<T: Decodable>(_ text: String, as type: T.Type) throws -> T? {
        try YAMLLimits.checkText(text)
        let parser = try Parser(yaml: text, resolver: .basic)
        // Nodes hold their anchors weakly: the parser has to outlive them.
        return try withExtendedLifetime(parser) {
            guard let node = try parser.singleRoot() else { return nil }
            var budget = text.utf8.count + YAMLLimits.spareNodes
            try checkSize(node, depth: 0, &budget)
            return try YAMLNodeDecoder(node: node).decode(type)
        }
    }

    /// Refuses what aliases have blown up: they share memory, but whatever walks the nodes walks each use of them.
    static func checkSize(_ node: Yams.Node, depth: Int, _ budget: inout Int) throws {
        budget -= 1
        guard budget >= 0 else { throw YAMLLimits.Refusal(message: "grows too large through its aliases: write the values out") }
        guard depth < YAMLLimits.depth else { throw YAMLLimits.Refusal(message: "is nested more than \(YAMLLimits.depth) levels deep") }
        switch node {
        case .scalar, .alias: break
        case .sequence(let list):
            for element in list { try checkSize(element, depth: depth + 1, &budget) }
        case .mapping(let mapping):
            // The library looks keys up one by one: time would grow with the square of their number.
            guard mapping.count <= YAMLLimits.keys else {
                throw YAMLLimits.Refusal(message: "has a mapping of more than \(YAMLLimits.keys) keys")
            }
            for (key, value) in mapping {
                try checkSize(key, depth: depth + 1, &budget)
                try checkSize(value, depth: depth + 1, &budget)
            }
        }
    }

    static func explain(_ error: YamlError) -> (line: Int?, message: String) {
        switch error {
        case .scanner(_, let problem, let mark, _), .parser(_, let problem, let mark, _), .composer(_, let problem, let mark, _):
            (mark.line, problem)
        case .reader(let problem, _, _, _): (nil, problem)
        case .duplicatedKeysInMapping(let keys, let context): (context.mark.line, "the key \(keys.first ?? "") is there twice")
        default: (nil, "\(error)")
        }
    }
}
