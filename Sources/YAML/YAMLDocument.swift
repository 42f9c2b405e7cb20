internal import Yams

/// A YAML document. Only the files of this module depend on the YAML library.
public enum YAMLDocument {
    /// Decodes a document; nil if it is empty.
    ///
    /// Throws a `YAMLSyntaxError` if the text is not YAML or exceeds the limits, and the type's own errors otherwise.
    public static func decode<T: Decodable>(_ text: String, as type: T.Type) throws -> T? {
        do {
            return try withRoot(of: text) { root in try root.map { try YAMLNodeDecoder(node: $0).decode(type) } }
        } catch let error as YamlError {
            throw YAMLSyntaxError(error)
        }
    }

    /// Parses a document within the limits and passes its root to `read`; nil if it is empty.
    static func withRoot<T>(of text: String, _ read: (Yams.Node?) throws -> T) throws -> T {
        try YAMLLimits.checkText(text)
        // With the default encoding, the parser would read the environment for each document.
        let parser = try Parser(yaml: text, resolver: .basic, encoding: .utf8)
        // Nodes hold their anchors weakly, so the parser has to outlive them.
        return try withExtendedLifetime(parser) {
            let root = try parser.singleRoot()
            if let root {
                var budget = text.utf8.count + YAMLLimits.spareNodes
                try checkSize(root, depth: 0, &budget)
            }
            return try read(root)
        }
    }

    /// Rejects documents that aliases make too large: aliases share memory, but a traversal visits each use of them.
    private static func checkSize(_ node: Yams.Node, depth: Int, _ budget: inout Int) throws(YAMLSyntaxError) {
        budget -= 1
        guard budget >= 0 else { throw .limit("grows too large through its aliases: write the values out") }
        guard depth < YAMLLimits.depth else { throw .limit("is nested more than \(YAMLLimits.depth) levels deep") }
        switch node {
        case .scalar, .alias: break
        case .sequence(let list):
            for element in list { try checkSize(element, depth: depth + 1, &budget) }
        case .mapping(let mapping):
            // The library looks up keys one by one, so the time grows with the square of their number.
            guard mapping.count <= YAMLLimits.keys else {
                throw .limit("has a mapping of more than \(YAMLLimits.keys) keys")
            }
            for (key, value) in mapping {
                try checkSize(key, depth: depth + 1, &budget)
                try checkSize(value, depth: depth + 1, &budget)
            }
        }
    }
}

extension YAMLSyntaxError {
    init(_ error: YamlError) {
        switch error {
        case .scanner(_, let problem, let mark, _), .parser(_, let problem, let mark, _), .composer(_, let problem, let mark, _):
            self.init(line: mark.line, message: problem)
        case .reader(let problem, _, _, _): self.init(message: problem)
        case .duplicatedKeysInMapping(let keys, let context):
            self.init(line: context.mark.line, message: "duplicate key \(keys.first ?? "")")
        default: self.init(message: "\(error)")
        }
    }

    static func limit(_ message: String) -> YAMLSyntaxError { YAMLSyntaxError(message: message, isMalformed: false) }
}

/// Splits a YAML file into its documents, as text.
///
/// A line that starts with `---` always separates documents: not even a block scalar can contain one (YAML 1.2 §9.1.2).
public enum YAMLDocumentSequence {
    public struct Piece: Hashable, Sendable {
        public var text: String
        /// The line of the file at which it starts, from 1.
        public var line: Int
    }

    /// Returns the documents with content; those with only comments and blank lines are omitted and not counted.
    public static func split(_ text: String) -> [Piece] {
        let bytes = text.utf8
        var pieces: [Piece] = []
        var start = bytes.startIndex
        var startLine = 1
        var hasContent = false
        var line = 1
        var lineStart = bytes.startIndex
        func close(at end: String.Index) {
            if hasContent { pieces.append(Piece(text: String(text[start..<end]), line: startLine)) }
            hasContent = false
        }
        while lineStart < bytes.endIndex {
            let lineEnd = bytes[lineStart...].firstIndex(of: UInt8(ascii: "\n")) ?? bytes.endIndex
            let content = bytes[lineStart..<lineEnd]
            if isSeparator(content) {
                close(at: lineStart)
                start = lineStart
                startLine = line
                hasContent = isContent(content.dropFirst(3))
            } else if !hasContent {
                hasContent = isContent(content)
            }
            guard lineEnd < bytes.endIndex else { break }
            lineStart = bytes.index(after: lineEnd)
            line += 1
        }
        close(at: bytes.endIndex)
        return pieces
    }

    private static func isSeparator(_ line: Substring.UTF8View) -> Bool {
        guard line.starts(with: "---".utf8) else { return false }
        return line.dropFirst(3).first.map(isBlank) ?? true
    }

    private static func isBlank(_ byte: UInt8) -> Bool {
        byte == UInt8(ascii: " ") || byte == UInt8(ascii: "\t") || byte == UInt8(ascii: "\r")
    }

    /// Whether a line contains more than blanks, a comment, a directive, a byte order mark or the end of a document.
    private static func isContent(_ line: Substring.UTF8View) -> Bool {
        let mark: [UInt8] = [0xef, 0xbb, 0xbf]
        let line = line.starts(with: mark) ? line.dropFirst(3) : line
        if line.first == UInt8(ascii: "%") || line.starts(with: "...".utf8) { return false }
        let rest = line.drop(while: isBlank)
        return !rest.isEmpty && rest.first != UInt8(ascii: "#")
    }
}
