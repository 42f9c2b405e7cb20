internal import Kubernetes
internal import YAML

/// A number of Kubernetes with its suffix: `512`, `1K`, `2Ki`, `3M` (`resource.Quantity`).
public struct Quantity: Hashable, Sendable, CustomStringConvertible {
    /// As it was written.
    public let description: String

    public init() { description = "0" }

    /// Nil for what is no quantity.
    public init?(_ text: String) {
        guard text.wholeMatch(of: /[+-]?([0-9]+(\.[0-9]*)?|\.[0-9]+)([EPTGMK]i?|Ki|[numk]|[eE][+-]?[0-9]+)?/) != nil else { return nil }
        description = text.allSatisfy { $0 == "0" } ? "0" : text
    }

    /// Whether it is zero, however it is written.
    public var isZero: Bool {
        description.prefix { !$0.isLetter }.allSatisfy { !("1"..."9").contains($0) }
    }
}

extension Quantity: FieldValue {
    static func read(_ value: YAMLValue, at field: String, _ report: inout DecodingReport) -> Quantity? {
        switch value {
        case .text(let text), .number(let text): if let quantity = Quantity(text) { return quantity }
        default: break
        }
        report.refuse(field, value, "must be a quantity such as 512, 4Ki or 1M")
        return nil
    }

    var written: YAMLValue { .text(description) }
    var isEmpty: Bool { isZero }
}
