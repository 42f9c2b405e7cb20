internal import Kubernetes

/// What events are called, and in which namespace they are. Names come from objects that may not be what they should.
enum EventName {
    /// As long as the API allows a name to be (a subdomain of RFC 1123).
    private static let limit = 253

    /// Whether an event about an object can be put anywhere; its namespace becomes part of a path.
    static func isUsable(_ object: ObjectReference) -> Bool {
        !object.name.isEmpty && object.name.utf8.count <= limit && (object.namespace.isEmpty || isNamespace(object.namespace))
    }

    /// The namespace of an event: that of the object, or `default` for an object that has none.
    static func namespace(for object: ObjectReference) -> String { object.namespace.isEmpty ? "default" : object.namespace }

    /// `web.6f2c0a9be1d34c58`: the object's name and what tells the event from all others.
    static func name(for object: ObjectReference, id: UInt64) -> String {
        let hex = String(id, radix: 16)
        let suffix = String(repeating: "0", count: 16 - hex.utf8.count) + hex
        var base = isSubdomain(object.name) ? object.name : "kube-proxy"
        base = String(base.prefix(limit - 1 - suffix.utf8.count))
        while let last = base.utf8.last, !isAlphanumeric(last) { base.removeLast() }
        return "\(base).\(suffix)"
    }

    private static func isNamespace(_ text: String) -> Bool { text.utf8.count <= 63 && isLabel(text[...]) }

    private static func isSubdomain(_ text: String) -> Bool {
        text.split(separator: ".", omittingEmptySubsequences: false).allSatisfy(isLabel)
    }

    private static func isLabel(_ text: Substring) -> Bool {
        guard let first = text.utf8.first, let last = text.utf8.last else { return false }
        return isAlphanumeric(first) && isAlphanumeric(last) && text.utf8.allSatisfy { isAlphanumeric($0) || $0 == UInt8(ascii: "-") }
    }

    private static func isAlphanumeric(_ byte: UInt8) -> Bool {
        (UInt8(ascii: "a")...UInt8(ascii: "z")).contains(byte) || (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(byte)
    }
}
