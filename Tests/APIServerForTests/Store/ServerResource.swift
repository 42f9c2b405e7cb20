/// A resource that is served.
struct ServerResource: Hashable, Sendable {
    var group = ""
    var plural: String
    var kind: String
    var isNamespaced = true
    /// The fields that field selectors support, besides those of the metadata.
    var selectableFields: [String] = []

    static let all = [
        ServerResource(plural: "services", kind: "Service", selectableFields: ["spec.clusterIP", "spec.type"]),
        ServerResource(group: "discovery.k8s.io", plural: "endpointslices", kind: "EndpointSlice"),
        ServerResource(plural: "nodes", kind: "Node", isNamespaced: false, selectableFields: ["spec.unschedulable"]),
        ServerResource(plural: "namespaces", kind: "Namespace", isNamespaced: false),
        ServerResource(
            group: "events.k8s.io", plural: "events", kind: "Event", selectableFields: ["reason", "reportingController", "type"]),
    ]

    static func named(_ plural: String) -> ServerResource? { all.first { $0.plural == plural } }

    static func of(kind: String, apiVersion: String) -> ServerResource? { all.first { $0.kind == kind && $0.apiVersion == apiVersion } }

    var apiVersion: String { group.isEmpty ? "v1" : "\(group)/v1" }

    /// The name in a Status: `endpointslices.discovery.k8s.io`.
    var qualifiedName: String { group.isEmpty ? plural : "\(plural).\(group)" }
}
