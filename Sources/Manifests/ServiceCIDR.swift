internal import Kubernetes

/// Blocks of cluster IPs beside those of `--service-cluster-ip-range` (`networking.k8s.io/v1` ServiceCIDR).
struct ServiceCIDR: Hashable, Sendable {
    var metadata: ObjectMeta
    /// `spec.cidrs`
    var cidrs: [String]
}

extension ServiceCIDR: Decodable {
    private enum CodingKeys: String, CodingKey { case metadata, spec }
    private enum SpecKeys: String, CodingKey { case cidrs }

    init(from decoder: any Decoder) throws {
        let fields = try decoder.container(keyedBy: CodingKeys.self)
        self.init(
            metadata: try fields.value(.metadata, default: ObjectMeta(name: "")),
            cidrs: try fields.nested(SpecKeys.self, .spec)?.list(.cidrs) ?? [])
    }
}
