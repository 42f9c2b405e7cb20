public import Model

/// A rule whose contents do not matter, by its text.
extension Rule: ExpressibleByStringLiteral {
    public init(stringLiteral text: String) { self = .other(text) }
}
