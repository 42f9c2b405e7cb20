/// A Node (`core/v1`), with `spec` and `status` laid flat.
public struct Node: Hashable, Sendable {
    public var metadata: ObjectMeta
    /// `spec.podCIDRs`, or `spec.podCIDR` where only that is there.
    public var podCIDRs: [String]
    /// `spec.taints`
    public var taints: [Taint]
    /// `status.addresses`
    public var addresses: [NodeAddress]

    public init(metadata: ObjectMeta, podCIDRs: [String] = [], taints: [Taint] = [], addresses: [NodeAddress] = []) {
        self.metadata = metadata
        self.podCIDRs = podCIDRs
        self.taints = taints
        self.addresses = addresses
    }

    /// The label that says in which zone a Node stands.
    public static let zoneLabel = "topology.kubernetes.io/zone"

    /// The zone of the Node; nil where it has none.
    public var zone: String? { metadata.labels[Node.zoneLabel] }
}

extension Node: Decodable {
    private enum CodingKeys: String, CodingKey { case metadata, spec, status }
    private enum SpecKeys: String, CodingKey { case podCIDR, podCIDRs, taints }
    private enum StatusKeys: String, CodingKey { case addresses }

    public init(from decoder: any Decoder) throws {
        let fields = try decoder.container(keyedBy: CodingKeys.self)
        self.init(metadata: try fields.value(.metadata, default: ObjectMeta(name: "")))
        if let spec = try fields.nested(SpecKeys.self, .spec) {
            podCIDRs = try spec.list(.podCIDRs)
            if podCIDRs.isEmpty, let single = try spec.decodeIfPresent(String.self, forKey: .podCIDR), !single.isEmpty {
                podCIDRs = [single]
            }
            taints = try spec.list(.taints)
        }
        addresses = try fields.nested(StatusKeys.self, .status)?.list(.addresses) ?? []
    }
}
