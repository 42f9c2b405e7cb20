extension String {
    /// Appends spaces up to a width in bytes.
    func padded(_ width: Int) -> String { self + String(repeating: " ", count: max(0, width - utf8.count)) }

    /// Prepends spaces up to a width in bytes.
    func paddedLeft(_ width: Int) -> String { String(repeating: " ", count: max(0, width - utf8.count)) + self }

    /// The text with control characters replaced, which a terminal would interpret: users of the cluster choose the names.
    public var printable: String {
        guard unicodeScalars.contains(where: \.isControl) else { return self }
        var text = ""
        for scalar in unicodeScalars { text.unicodeScalars.append(scalar.isControl ? "?" : scalar) }
        return text
    }
}

extension Unicode.Scalar {
    /// Controls of terminals and of the direction of text, line separators, and what has no shape.
    fileprivate var isControl: Bool {
        switch properties.generalCategory {
        case .control, .format, .lineSeparator, .paragraphSeparator, .unassigned, .privateUse, .surrogate: true
        default: false
        }
    }
}
