internal import FoundationEssentials
internal import YAML

/// A document of a file of manifests.
struct ManifestDocument: Sendable {
    enum Content: Sendable {
        case item(ManifestItem)
        /// Not valid YAML or JSON.
        case unreadable(String)
    }

    /// The number of the document in the file, from 1.
    var number: Int
    /// The line at which the document starts or reading it failed, from 1.
    var line: Int
    var content: Content
}

/// Reads manifests in JSON: a file may contain several documents in a row, as with kubectl.
enum JSONDocuments {
    static func read(_ bytes: [UInt8]) -> [ManifestDocument] {
        let decoder = JSONDecoder()
        var documents: [ManifestDocument] = []
        var line = 1
        var position = 0
        for range in ranges(bytes) {
            line += newlines(bytes[position..<range.lowerBound])
            position = range.lowerBound
            documents.append(document(bytes[range], number: documents.count + 1, line: line, decoder))
        }
        return documents
    }

    private static func document(_ bytes: ArraySlice<UInt8>, number: Int, line: Int, _ decoder: JSONDecoder) -> ManifestDocument {
        do {
            let item = try decoder.decode(ManifestItem.self, from: Data(bytes))
            return ManifestDocument(number: number, line: line, content: .item(item))
        } catch DecodingError.dataCorrupted(let context) {
            let cause = context.underlyingError.map { "\($0)" } ?? context.debugDescription
            return ManifestDocument(number: number, line: line, content: .unreadable("is not valid JSON: \(cause)"))
        } catch {
            return ManifestDocument(number: number, line: line, content: .unreadable("is not valid JSON: \(error)"))
        }
    }

    /// Returns the range of each top-level value. Anything that is no object or list, or is incomplete, is a range of its own, for the
    /// decoder to refuse.
    private static func ranges(_ bytes: [UInt8]) -> [Range<Int>] {
        var ranges: [Range<Int>] = []
        var start: Int?
        var depth = 0
        var inString = false
        var escaped = false
        for (index, byte) in bytes.enumerated() {
            if inString {
                if escaped {
                    escaped = false
                } else if byte == UInt8(ascii: "\\") {
                    escaped = true
                } else if byte == UInt8(ascii: "\"") {
                    inString = false
                }
                continue
            }
            switch byte {
            case UInt8(ascii: " "), UInt8(ascii: "\t"), UInt8(ascii: "\r"), UInt8(ascii: "\n"): continue
            case UInt8(ascii: "\""): inString = true
            case UInt8(ascii: "{"), UInt8(ascii: "["): depth += 1
            case UInt8(ascii: "}"), UInt8(ascii: "]"): depth -= 1
            default: break
            }
            let first = start ?? index
            start = first
            if depth == 0, byte == UInt8(ascii: "}") || byte == UInt8(ascii: "]") {
                ranges.append(first..<index + 1)
                start = nil
            } else if depth < 0 {
                break
            }
        }
        if let start { ranges.append(start..<bytes.count) }
        return ranges
    }

    private static func newlines(_ bytes: ArraySlice<UInt8>) -> Int {
        bytes.count { $0 == UInt8(ascii: "\n") }
    }
}

/// Reads manifests in YAML.
///
/// Documents are split before parsing, because an error stops the parser: this way it affects only its own document.
enum YAMLDocuments {
    static func read(_ bytes: [UInt8]) -> [ManifestDocument] {
        guard let text = String(validating: bytes, as: UTF8.self) else {
            return [ManifestDocument(number: 1, line: 1, content: .unreadable("is not UTF-8 text"))]
        }
        return YAMLDocumentSequence.split(text).enumerated().map { index, piece in
            var line = piece.line
            let content: ManifestDocument.Content
            do {
                content = .item(try YAMLDocument.decode(piece.text, as: ManifestItem.self) ?? ManifestItem(.skipped))
            } catch let refusal as YAMLSyntaxError {
                line += (refusal.line ?? 1) - 1
                content = .unreadable(refusal.isMalformed ? "is not valid YAML: \(refusal.message)" : refusal.message)
            } catch {
                content = .unreadable("is not valid YAML: \(error)")
            }
            return ManifestDocument(number: index + 1, line: line, content: content)
        }
    }
}
