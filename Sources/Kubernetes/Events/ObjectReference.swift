public import Model

/// The object that an event is about (`core/v1` ObjectReference, as far as it is used).
public struct ObjectReference: Hashable, Sendable {
    /// `apiVersion`
    public var apiVersion: String
    /// `kind`
    public var kind: String
    /// `namespace`; empty for objects without one, such as Nodes.
    public var namespace: String
    /// `name`
    public var name: String

    public init(apiVersion: String, kind: String, namespace: String = "", name: String) {
        self.apiVersion = apiVersion
        self.kind = kind
        self.namespace = namespace
        self.name = name
    }

    public static func node(_ name: String) -> ObjectReference { ObjectReference(apiVersion: "v1", kind: "Node", name: name) }

    public static func service(_ name: NamespacedName) -> ObjectReference {
        ObjectReference(apiVersion: "v1", kind: "Service", namespace: name.namespace, name: name.name)
    }
}
