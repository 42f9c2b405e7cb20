public import Model

/// An event on an object of the cluster, for operators (the part of `events.k8s.io/v1` Event that describes what happened).
///
/// The texts fit the API: they are within its limits and without control characters, even if they quote user input.
public struct ClusterEvent: Hashable, Sendable {
    /// `type`
    public enum EventType: String, Hashable, Sendable {
        case normal = "Normal"
        case warning = "Warning"
    }

    /// `type`
    public let type: EventType
    /// `reason`: why, in machine-readable form: `Starting`. At most 128 bytes.
    public let reason: String
    /// `action`: what was done or failed, in machine-readable form: `StartKubeProxy`. At most 128 bytes.
    public let action: String
    /// `regarding`
    public let regarding: ObjectReference
    /// `note`: what happened, in human-readable form. At most 1024 bytes.
    public let note: String

    public init(_ type: EventType, reason: String, action: String, regarding: ObjectReference, note: String = "") {
        self.type = type
        self.reason = ClusterEvent.text(reason, bytes: 128)
        self.action = ClusterEvent.text(action, bytes: 128)
        self.regarding = regarding
        self.note = ClusterEvent.text(note, bytes: 1024)
    }

    /// Returns printable text, truncated at a character boundary.
    private static func text(_ text: String, bytes limit: Int) -> String {
        let printable = SourceProblem.printable(text, limit: limit)
        guard printable.utf8.count > limit else { return printable }
        let ellipsis = "…"
        var result = ""
        var count = ellipsis.utf8.count
        for character in printable {
            count += character.utf8.count
            guard count <= limit else { break }
            result.append(character)
        }
        return result + ellipsis
    }
}

/// Receives events. Recording an event never waits and never fails: errors do not affect the caller.
public protocol EventRecorder: Sendable {
    func record(_ event: ClusterEvent)
}

/// Discards events, for sources without an API server.
public struct NoEvents: EventRecorder {
    public init() {}

    public func record(_ event: ClusterEvent) {}
}

/// The object that an event is about (`core/v1` ObjectReference, only the fields in use).
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
