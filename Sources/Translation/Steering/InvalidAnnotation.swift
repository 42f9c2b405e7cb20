public import Kubernetes
public import Model

/// An annotation that cannot be heeded: what would hold without it is in force.
public struct InvalidAnnotation: Hashable, Sendable, CustomStringConvertible {
    /// The slice that has it; nil for the Service itself.
    public var slice: NamespacedName?
    public var key: String
    /// Nil where the name of the annotation is not known.
    public var annotation: Annotation?
    /// Its first bytes.
    public var value: String
    /// What is wrong, as the end of a sentence: `must be true or false`.
    public var reason: String

    init(_ key: String, _ value: String, _ reason: String, slice: NamespacedName? = nil) {
        self.slice = slice
        self.key = InvalidAnnotation.shortened(key)
        annotation = Annotation(rawValue: key)
        self.value = InvalidAnnotation.shortened(value)
        self.reason = reason
    }

    /// `kube-ipvs-proxy.io/one-packet "yes": must be true or false`.
    public var description: String {
        "\(slice.map { "EndpointSlice \($0) " } ?? "")\(key)\(annotation == nil ? "" : " \"\(value)\""): \(reason)"
    }

    private static let shownBytes = 80

    static func shortened(_ text: String) -> String {
        text.utf8.count <= shownBytes ? text : String(decoding: text.utf8.prefix(shownBytes), as: UTF8.self) + "…"
    }
}

extension InvalidAnnotation: Comparable {
    public static func < (lhs: InvalidAnnotation, rhs: InvalidAnnotation) -> Bool { lhs.description < rhs.description }
}
