/// What a YAML document may be, so that a small one cannot take the memory, the stack or the time of a large one.
///
/// Aliases are what makes that possible: a few lines that quote one another stand for billions of values, or nest without end. What can be
/// judged only after parsing (`YAMLDocument.checkSize`) is judged there; here is what has to be known before, from the text alone. It may
/// refuse a harmless document that has aliases, never one that has none.
enum YAMLLimits {
    /// How deep mappings and lists may nest.
    static let depth = 200
    /// Keys of one mapping.
    static let keys = 10_000
    /// Values a document may have beyond one for each byte of its text.
    static let spareNodes = 10_000
    /// Uses of aliases in a document.
    static let aliases = 1_000
    /// Mappings and lists in a document that uses aliases: they may nest as deep as there are of them, and the stack has to bear it.
    static let nestingWithAliases = 10_000

    static func checkText(_ text: String) throws(YAMLSyntaxError) {
        var scan = Scan()
        for byte in text.utf8 { scan.take(byte) }
        scan.take(UInt8(ascii: "\n"))
        guard scan.aliases > 0, scan.anchors > 0 else { return }
        guard scan.aliases <= aliases else { throw .limit("uses more than \(aliases) aliases: write the values out") }
        guard scan.collections <= nestingWithAliases else {
            throw .limit("is too large for a document with aliases: write the values out or split it")
        }
        // The parser hashes keys to find doubles, and hashing one that stands for billions of values never ends.
        guard !scan.mayHaveComplexKey else {
            throw .limit(
                "has an alias or a bracket where a mapping key could be: with aliases, write one `key: value` per line")
        }
    }

    /// Counts what looks like an anchor, an alias or a collection.
    ///
    /// It knows nothing of quotes, comments and blocks of text, so it takes all of them for structure. An alias, `[` or `{` is certainly
    /// no key (and in none) if `:` or `-` stands before it on its line and no `:` behind it.
    private struct Scan {
        var aliases = 0
        var anchors = 0
        var collections = 0
        var mayHaveComplexKey = false

        private var previous = newline
        private var beforePrevious = newline
        /// The last byte of the line that is not blank, and the one before it.
        private var significant = newline
        private var beforeSignificant = newline
        private var inAlias = false

        mutating func take(_ byte: UInt8) {
            if isName(byte), opensNode(beforePrevious) {
                if previous == UInt8(ascii: "*") {
                    aliases += 1
                    inAlias = true
                    if !precedesValue(beforeSignificant) { mayHaveComplexKey = true }
                } else if previous == UInt8(ascii: "&") {
                    anchors += 1
                }
            }
            if isSpace(byte), isIndicator(previous) { collections += 1 }
            if isSpace(byte), previous == UInt8(ascii: "?"), opensNode(beforePrevious) { mayHaveComplexKey = true }
            if byte == UInt8(ascii: "[") || byte == UInt8(ascii: "{") {
                collections += 1
                if opensNode(previous), !precedesValue(significant) { mayHaveComplexKey = true }
            }
            followAlias(byte)
            remember(byte)
        }

        /// Sees a `:` behind an alias or behind the end of a list or mapping, with or without blanks between.
        private mutating func followAlias(_ byte: UInt8) {
            if byte == UInt8(ascii: ":"), inAlias || significant == UInt8(ascii: "]") || significant == UInt8(ascii: "}") {
                mayHaveComplexKey = true
            }
            let isBlank = byte == UInt8(ascii: " ") || byte == UInt8(ascii: "\t")
            if !isBlank, !isName(byte) || previous == UInt8(ascii: " ") || previous == UInt8(ascii: "\t") { inAlias = false }
        }

        private mutating func remember(_ byte: UInt8) {
            beforePrevious = previous
            previous = byte
            if byte == newline {
                significant = newline
                beforeSignificant = newline
            } else if !isSpace(byte) {
                beforeSignificant = significant
                significant = byte
            }
        }

        private func precedesValue(_ byte: UInt8) -> Bool { byte == UInt8(ascii: ":") || byte == UInt8(ascii: "-") }

        private func isName(_ byte: UInt8) -> Bool {
            // Wider than the letters, digits, `_` and `-` that the parser takes.
            byte > UInt8(ascii: " ") && !isFlow(byte) && byte != UInt8(ascii: ":") && byte != UInt8(ascii: "*") && byte != UInt8(ascii: "&")
        }

        private func isSpace(_ byte: UInt8) -> Bool {
            byte == UInt8(ascii: " ") || byte == UInt8(ascii: "\t") || byte == newline || byte == UInt8(ascii: "\r")
        }

        private func isFlow(_ byte: UInt8) -> Bool {
            byte == UInt8(ascii: "[") || byte == UInt8(ascii: "]") || byte == UInt8(ascii: "{") || byte == UInt8(ascii: "}")
                || byte == UInt8(ascii: ",")
        }

        private func isIndicator(_ byte: UInt8) -> Bool {
            byte == UInt8(ascii: "-") || byte == UInt8(ascii: "?") || byte == UInt8(ascii: ":")
        }

        private func opensNode(_ byte: UInt8) -> Bool { isSpace(byte) || isFlow(byte) || isIndicator(byte) }
    }
}

private let newline = UInt8(ascii: "\n")
