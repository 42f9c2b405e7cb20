/// The endpoints of a Service in the legacy form (`core/v1` Endpoints), which the control plane mirrors to EndpointSlices.
public struct Endpoints: Hashable, Sendable {
    public var metadata: ObjectMeta
    /// `subsets`
    public var subsets: [EndpointSubset]
    /// Whether it is the lock of a leader election, without endpoints (annotation `control-plane.alpha.kubernetes.io/leader`).
    public var isLeaderElection: Bool

    public init(metadata: ObjectMeta, subsets: [EndpointSubset] = [], isLeaderElection: Bool = false) {
        self.metadata = metadata
        self.subsets = subsets
        self.isLeaderElection = isLeaderElection
    }

    /// The label of Endpoints that are not mirrored, as another controller creates their slices.
    public static let skipMirrorLabel = "endpointslice.kubernetes.io/skip-mirror"

    public static let leaderAnnotation = "control-plane.alpha.kubernetes.io/leader"
}

/// Addresses that share their ports (`Endpoints.subsets[]`).
public struct EndpointSubset: Hashable, Sendable {
    /// `addresses`: the ready ones.
    public var addresses: [SubsetAddress]
    /// `notReadyAddresses`
    public var notReadyAddresses: [SubsetAddress]
    /// `ports`
    public var ports: [EndpointPort]

    public init(addresses: [SubsetAddress] = [], notReadyAddresses: [SubsetAddress] = [], ports: [EndpointPort] = []) {
        self.addresses = addresses
        self.notReadyAddresses = notReadyAddresses
        self.ports = ports
    }
}

/// An address of an Endpoints object (`Endpoints.subsets[].addresses[]`).
public struct SubsetAddress: Hashable, Sendable {
    /// `ip`
    public var ip: String
    /// `hostname`
    public var hostname: String
    /// `nodeName`
    public var nodeName: String?
    /// `targetRef.name` if `targetRef.kind` is `Pod`.
    public var pod: String?

    public init(ip: String, hostname: String = "", nodeName: String? = nil, pod: String? = nil) {
        self.ip = ip
        self.hostname = hostname
        self.nodeName = nodeName
        self.pod = pod
    }
}

extension Endpoints: Decodable {
    private enum CodingKeys: String, CodingKey { case metadata, subsets }
    private enum MetadataKeys: String, CodingKey { case annotations }

    public init(from decoder: any Decoder) throws {
        let fields = try decoder.container(keyedBy: CodingKeys.self)
        self.init(metadata: try fields.value(.metadata, default: ObjectMeta(name: "")), subsets: try fields.list(.subsets))
        let annotations = try fields.nested(MetadataKeys.self, .metadata)?.strings(.annotations) ?? [:]
        isLeaderElection = annotations[Endpoints.leaderAnnotation] != nil
    }
}

extension EndpointSubset: Decodable {
    private enum CodingKeys: String, CodingKey { case addresses, notReadyAddresses, ports }

    public init(from decoder: any Decoder) throws {
        let fields = try decoder.container(keyedBy: CodingKeys.self)
        self.init(
            addresses: try fields.list(.addresses), notReadyAddresses: try fields.list(.notReadyAddresses), ports: try fields.list(.ports))
    }
}

extension SubsetAddress: Decodable {
    private enum CodingKeys: String, CodingKey { case ip, hostname, nodeName, targetRef }

    public init(from decoder: any Decoder) throws {
        let fields = try decoder.container(keyedBy: CodingKeys.self)
        self.init(
            ip: try fields.value(.ip, default: ""), hostname: try fields.value(.hostname, default: ""),
            nodeName: try fields.decodeIfPresent(String.self, forKey: .nodeName), pod: try fields.pod(.targetRef))
    }
}
