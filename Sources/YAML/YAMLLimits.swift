/// The limits of a YAML document, so that a small one cannot use the memory, stack or time of a large one.
///
/// Aliases make that possible: a few lines that refer to one another stand for billions of values, or nest without end. Limits that can be
/// checked only after parsing are checked there (`YAMLDocument.checkSize`); this type checks the text before. It may reject a harmless
/// document with aliases, but never one without.
enum YAMLLimits {
    /// The maximum depth of nested mappings and lists.
    static let depth = 200
    /// The maximum number of keys in a mapping.
    static let keys = 10_000
    /// The number of values that a document may have in addition to one per byte of text.
    static let spareNodes = 10_000
    /// The maximum number of uses of aliases in a document.
    static let aliases = 1_000
    /// The maximum number of mappings and lists in a document with aliases: all of them may nest, and the stack has to bear it.
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
        // The parser hashes keys to find duplicates, and hashing a key that stands for billions of values never ends.
        guard !scan.mayHaveComplexKey else {
            throw .limit(
                "has an alias or a bracket where a mapping key could be: with aliases, write one `key: value` per line")
        }
    }

    /// Counts bytes that look like an anchor, an alias or a collection.
    ///
    /// It does not recognize quotes, comments and block scalars, and treats them all as structure. An alias, `[` or `{` is certainly not a
    /// key (or part of one) if `:` or `-` precedes it on its line and no `:` follows it.
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

        /// Detects a `:` after an alias or after the end of a list or mapping, with or without blanks in between.
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
            // Includes more than the letters, digits, `_` and `-` that the parser accepts.
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
