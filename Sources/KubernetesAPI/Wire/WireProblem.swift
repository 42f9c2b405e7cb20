public import Kubernetes
public import Model

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
