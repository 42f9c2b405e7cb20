internal import Kubernetes

/// An object of a manifest with the API server's defaults, and what the API server would say of it.
struct ManifestAdmission: Sendable {
    var object: ManifestObject
    /// What is wrong; the object does not count unless this is empty.
    var problems: [FieldProblem]
    /// Fields that have no effect.
    var warnings: [FieldProblem] = []

    init(_ kind: ManifestObject.Kind, from decoder: any Decoder) throws {
        object = try ManifestObject(kind, from: decoder)
        problems = ManifestValidation.problems(of: object) + ManifestValidation.problems(of: try MetadataAsWritten(from: decoder))
        switch object {
        case .service(var service):
            let written = try ServiceAsWritten(from: decoder)
            problems += ManifestValidation.problems(of: service, written)
            warnings = written.drop(from: &service)
            service.trafficDistribution = written.effectiveTrafficDistribution
            object = .service(service)
        case .endpointSlice(var slice):
            problems += ManifestValidation.problems(of: try EndpointSliceAsWritten(from: decoder), slice.addressType)
            for index in slice.ports.indices { slice.ports[index].name = slice.ports[index].name ?? "" }
            object = .endpointSlice(slice)
        case .endpoints, .node, .pod, .serviceCIDR: break
        }
    }
}
