internal import Kubernetes
internal import Model

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
