public import Model

/// A Node (`core/v1`), with the fields of `spec` and `status` at the top level.
public struct Node: Hashable, Sendable {
    public var metadata: ObjectMeta
    /// `spec.podCIDRs`, or `spec.podCIDR` if only that is set.
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

    /// The label with the zone of a Node.
    public static let zoneLabel = "topology.kubernetes.io/zone"

    /// The zone of the Node; nil if it has none.
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

/// An address of a Node (`Node.status.addresses[]`).
public struct NodeAddress: Hashable, Sendable, Decodable {
    /// `type`: `InternalIP`, `ExternalIP`, `Hostname`, …
    public var type: String
    /// `address`: an IP address or a name.
    public var address: String

    public init(type: String, address: String) {
        self.type = type
        self.address = address
    }
}

extension Node {
    /// At most one address per family (`Node.status.addresses`): internal addresses take precedence over external ones. The address of the
    /// primary family comes first.
    public var hostAddresses: [IPAddress] {
        let ordered = ["InternalIP", "ExternalIP"].flatMap { type in
            addresses.filter { $0.type == type }.compactMap { IPAddress($0.address) }
        }
        guard let first = ordered.first else { return [] }
        return [first] + [ordered.first { $0.family != first.family }].compactMap(\.self)
    }
}

/// A taint of a Node, which keeps pods away from it (`Node.spec.taints[]`).
public struct Taint: Hashable, Sendable, Decodable {
    /// `key`
    public var key: String
    /// `effect`: `NoSchedule`, `PreferNoSchedule` or `NoExecute`.
    public var effect: String

    public init(key: String, effect: String) {
        self.key = key
        self.effect = effect
    }
}
