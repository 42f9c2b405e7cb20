internal import Text

extension String {
    /// Appends spaces up to a width in bytes.
    func padded(_ width: Int) -> String { self + String(repeating: " ", count: max(0, width - utf8.count)) }

    /// Prepends spaces up to a width in bytes.
    func paddedLeft(_ width: Int) -> String { String(repeating: " ", count: max(0, width - utf8.count)) + self }

    /// The text with control characters replaced, which a terminal would interpret: users of the cluster choose the names.
    public var printable: String {
        guard !unicodeScalars.allSatisfy(\.isPrintable) else { return self }
        var text = ""
        for scalar in unicodeScalars { text.unicodeScalars.append(scalar.isPrintable ? scalar : "?") }
        return text
    }
}
