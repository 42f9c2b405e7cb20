public import Kubernetes
public import Model
internal import Text

/// An error in data from the API server: its location, and what is wrong.
public struct WireError: Error, Hashable, Sendable, CustomStringConvertible {
    /// The field: `spec.ports[0].port`; empty if the error concerns the complete object.
    public var field: String
    /// What is wrong, or the required value.
    public var message: String

    public init(field: String = "", message: String) {
        self.field = field
        self.message = message
    }

    /// One line: `spec.ports[0].port: must be a port, 1 to 65535`.
    public var description: String {
        SourceProblem(field: field.isEmpty ? nil : field, message: message).description
    }

    /// Returns the error with its field below an outer one.
    func inside(_ outer: String) -> WireError {
        let separator = field.isEmpty || field.hasPrefix("[") ? "" : "."
        return WireError(field: outer + separator + field, message: message)
    }

    /// Returns text from the server, safe to print: one line, without control characters.
    static func printable(_ text: String) -> String { SourceProblem(message: text).description }
}

extension WireError {
    /// Converts an error of a `Decoder`; its path becomes relative to `outer`.
    init(_ error: any Error, below outer: [any CodingKey] = []) {
        if let error = error as? WireError {
            self = error
            return
        }
        guard let error = error as? DecodingError else {
            self.init(message: "\(error)")
            return
        }
        let problem = DecodingProblem(error, words: .json)
        self.init(field: problem.path.dropFirst(outer.count).fieldPath, message: problem.message)
    }
}

/// An object from the API server that cannot be used.
public struct WireProblem: Error, Hashable, Sendable, CustomStringConvertible {
    /// `kind`
    public var kind: String
    /// The object; nil if its name cannot be decoded, so that the object is unknown.
    public var object: NamespacedName?
    /// The object's version, if it can be decoded.
    public var resourceVersion: String?
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
    /// Converts a problem of the API to the common form of all sources.
    public init(_ problem: WireProblem) {
        self.init(
            kind: problem.kind, object: problem.object, field: problem.error.field.isEmpty ? nil : problem.error.field,
            message: problem.error.message)
    }
}

extension ClusterEvent {
    /// An event on a Service or an EndpointSlice that failed to decode; nil for other kinds, and if the object is unknown.
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
