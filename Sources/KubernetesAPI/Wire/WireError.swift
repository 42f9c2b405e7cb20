public import Kubernetes
public import Model
internal import Text

/// What is malformed in the bytes from the API server, and where.
public struct WireError: Error, Hashable, Sendable, CustomStringConvertible {
    /// The field: `spec.ports[0].port`; empty for the whole.
    public var field: String
    /// What is wrong, or what has to stand there.
    public var message: String

    public init(field: String = "", message: String) {
        self.field = field
        self.message = message
    }

    /// One line: `spec.ports[0].port: must be a port, 1 to 65535`.
    public var description: String {
        SourceProblem(field: field.isEmpty ? nil : field, message: message).description
    }

    /// The same one level further out.
    func inside(_ outer: String) -> WireError {
        let separator = field.isEmpty || field.hasPrefix("[") ? "" : "."
        return WireError(field: outer + separator + field, message: message)
    }

    /// Text from the other side, safe to print: one line, without control characters.
    static func printable(_ text: String) -> String { SourceProblem(message: text).description }
}

extension WireError {
    /// What a `Decoder` objected to, as seen from a point within what it decodes.
    init(_ error: any Error, below outer: [any CodingKey] = []) {
        if let error = error as? WireError {
            self = error
            return
        }
        guard let error = error as? DecodingError else {
            self.init(message: "\(error)")
            return
        }
        let objection = DecodingProblem(error, words: .json)
        self.init(field: objection.path.dropFirst(outer.count).fieldPath, message: objection.message)
    }
}

/// An object that the API server sent and that cannot be used.
public struct WireProblem: Error, Hashable, Sendable, CustomStringConvertible {
    /// `kind`
    public var kind: String
    /// The object; nil where not even its name can be read, so that nobody knows which one is amiss.
    public var object: NamespacedName?
    /// The object's version, where that can be read.
    public var resourceVersion: String?
    /// What is wrong with it.
    public var error: WireError

    public init(kind: String, object: NamespacedName? = nil, resourceVersion: String? = nil, error: WireError) {
        self.kind = kind
        self.object = object
        self.resourceVersion = resourceVersion
        self.error = error
    }

    /// One line: `Service default/web, spec.ports[0].port: must be a port, 1 to 65535`.
    public var description: String { SourceProblem(self).description }
}

extension SourceProblem {
    /// A problem of the API, in the form in which every source tells its problems.
    public init(_ problem: WireProblem) {
        self.init(
            kind: problem.kind, object: problem.object, field: problem.error.field.isEmpty ? nil : problem.error.field,
            message: problem.error.message)
    }
}

extension ClusterEvent {
    /// Says on a Service or an EndpointSlice that it cannot be read; nil for other kinds, and where nobody knows which object it is.
    init?<Object: Reflected>(_ problem: WireProblem, of type: Object.Type) {
        guard Object.self == Service.self || Object.self == EndpointSlice.self, let object = problem.object else { return nil }
        var anonymous = SourceProblem(problem)
        anonymous.kind = nil
        anonymous.object = nil
        self.init(
            .warning, reason: "InvalidObject", action: "ReadObject",
            regarding: ObjectReference(
                apiVersion: Object.resource.apiVersion, kind: Object.kind, namespace: object.namespace, name: object.name),
            note: anonymous.description)
    }
}
