internal import Kubernetes

/// What events are called, and in which namespace they are. Names come from objects that may not be what they should.
enum EventName {
    /// As long as the API allows a name to be.
    private static let limit = NameSyntax.subdomainLimit

    /// Whether an event about an object can be put anywhere; its namespace becomes part of a path.
    static func isUsable(_ object: ObjectReference) -> Bool {
        !object.name.isEmpty && object.name.utf8.count <= limit && (object.namespace.isEmpty || NameSyntax.isLabel(object.namespace))
    }

    /// The namespace of an event: that of the object, or `default` for an object that has none.
    static func namespace(for object: ObjectReference) -> String { object.namespace.isEmpty ? "default" : object.namespace }

    /// `web.6f2c0a9be1d34c58`: the object's name and what tells the event from all others.
    static func name(for object: ObjectReference, id: UInt64) -> String {
        let hex = String(id, radix: 16)
        let suffix = String(repeating: "0", count: 16 - hex.utf8.count) + hex
        var base = NameSyntax.isSubdomain(object.name) ? object.name : "kube-proxy"
        base = String(base.prefix(limit - 1 - suffix.utf8.count))
        while base.hasSuffix("-") || base.hasSuffix(".") { base.removeLast() }
        return "\(base).\(suffix)"
    }
}
