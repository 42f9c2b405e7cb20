/// The documents of a YAML file as text.
///
/// A line that starts with `---` parts documents wherever it stands: not even a block of text can hold one (YAML 1.2 §9.1.2).
public enum YAMLPieces {
    public struct Piece: Hashable, Sendable {
        public var text: String
        /// The line of the file at which it starts, from 1.
        public var line: Int
    }

    /// Documents with something in them; those of comments and blank lines alone are left out and not counted.
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

    /// Whether a line holds more than blanks, a comment, a directive, a byte order mark or the end of a document.
    private static func isContent(_ line: Substring.UTF8View) -> Bool {
        let mark: [UInt8] = [0xef, 0xbb, 0xbf]
        let line = line.starts(with: mark) ? line.dropFirst(3) : line
        if line.first == UInt8(ascii: "%") || line.starts(with: "...".utf8) { return false }
        let rest = line.drop(while: isBlank)
        return !rest.isEmpty && rest.first != UInt8(ascii: "#")
    }
}
