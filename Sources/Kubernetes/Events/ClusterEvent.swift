public import Model

/// What an operator should see on an object of the cluster (`events.k8s.io/v1` Event, the part that says what happened).
///
/// The texts are such as the API takes: shorter than its limits and without control characters, whoever wrote what they quote.
public struct ClusterEvent: Hashable, Sendable {
    /// `type`
    public enum EventType: String, Hashable, Sendable {
        case normal = "Normal"
        case warning = "Warning"
    }

    /// `type`
    public let type: EventType
    /// `reason`: why, for machines: `Starting`. At most 128 bytes.
    public let reason: String
    /// `action`: what was done or failed, for machines: `StartKubeProxy`. At most 128 bytes.
    public let action: String
    /// `regarding`
    public let regarding: ObjectReference
    /// `note`: what happened, for people. At most 1024 bytes.
    public let note: String

    public init(_ type: EventType, reason: String, action: String, regarding: ObjectReference, note: String = "") {
        self.type = type
        self.reason = ClusterEvent.text(reason, bytes: 128)
        self.action = ClusterEvent.text(action, bytes: 128)
        self.regarding = regarding
        self.note = ClusterEvent.text(note, bytes: 1024)
    }

    /// Printable text, cut between characters.
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

/// Where events go. Recording one never waits and never fails: whatever goes wrong with an event is of no consequence for who recorded it.
public protocol EventRecorder: Sendable {
    func record(_ event: ClusterEvent)
}

/// Keeps no events, for sources without an API server.
public struct NoEvents: EventRecorder {
    public init() {}

    public func record(_ event: ClusterEvent) {}
}

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
