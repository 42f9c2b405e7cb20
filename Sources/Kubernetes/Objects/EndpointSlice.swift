public import Model

/// A subset of the endpoints of a Service (`discovery.k8s.io/v1` EndpointSlice).
public struct EndpointSlice: Hashable, Sendable {
    public var metadata: ObjectMeta
    /// `addressType`
    public var addressType: AddressType
    /// `endpoints`
    public var endpoints: [Endpoint]
    /// `ports`
    public var ports: [EndpointPort]

    public init(metadata: ObjectMeta, addressType: AddressType, endpoints: [Endpoint] = [], ports: [EndpointPort] = []) {
        self.metadata = metadata
        self.addressType = addressType
        self.endpoints = endpoints
        self.ports = ports
    }

    /// The label that names the Service, in the same namespace, that a slice belongs to.
    public static let serviceNameLabel = "kubernetes.io/service-name"

    /// The Service that the slice belongs to; nil if the label is missing or empty, in which case the slice is not used.
    public var serviceName: NamespacedName? {
        guard let name = metadata.labels[EndpointSlice.serviceNameLabel], !name.isEmpty else { return nil }
        return NamespacedName(namespace: metadata.namespace, name: name)
    }
}

extension EndpointSlice: Decodable {
    package enum CodingKeys: String, CodingKey {
        case metadata, addressType, endpoints, ports
    }

    public init(from decoder: any Decoder) throws {
        let fields = try decoder.container(keyedBy: CodingKeys.self)
        try self.init(fields) { try fields.list(.endpoints) }
    }

    /// - Parameter endpoints: decodes the endpoints.
    package init(_ fields: KeyedDecodingContainer<CodingKeys>, endpoints: () throws -> [Endpoint]) throws {
        guard fields.contains(.addressType) else {
            throw DecodingError.dataCorruptedError(forKey: .addressType, in: fields, debugDescription: "is required: IPv4, IPv6 or FQDN")
        }
        self.init(
            metadata: try fields.value(.metadata, default: ObjectMeta(name: "")),
            addressType: try fields.choice(.addressType, default: .ipv4),
            endpoints: try endpoints(),
            ports: try fields.list(.ports))
    }
}

/// The type of the addresses of a slice (`EndpointSlice.addressType`).
public enum AddressType: String, Hashable, Sendable, CaseIterable {
    case ipv4 = "IPv4"
    case ipv6 = "IPv6"
    case fqdn = "FQDN"

    public init(_ family: IPFamily) {
        self = family == .ipv4 ? .ipv4 : .ipv6
    }

    /// The family of the addresses; nil for FQDN.
    public var family: IPFamily? {
        switch self {
        case .ipv4: .ipv4
        case .ipv6: .ipv6
        case .fqdn: nil
        }
    }
}

/// An endpoint of a Service (`EndpointSlice.endpoints[]`).
public struct Endpoint: Hashable, Sendable {
    /// The first of `addresses`, the only one in use; nil if it is not an IP address, and then the endpoint gets no traffic.
    public private(set) var address: IPAddress?
    private var conditions: Conditions
    /// `nodeName`
    public var nodeName: String?
    /// `targetRef.name` if `targetRef.kind` is `Pod`.
    public var pod: String?
    private var rare = RareValues<Rare>()

    /// `conditions`: whether each is set, and whether it is true.
    private struct Conditions: OptionSet, Hashable {
        var rawValue: UInt8

        static let (hasReady, isReady) = (Conditions(rawValue: 1), Conditions(rawValue: 2))
        static let (hasServing, isServing) = (Conditions(rawValue: 4), Conditions(rawValue: 8))
        static let (hasTerminating, isTerminating) = (Conditions(rawValue: 16), Conditions(rawValue: 32))

        subscript(isSet: Conditions, isTrue: Conditions) -> Bool? {
            get { contains(isSet) ? contains(isTrue) : nil }
            set {
                subtract([isSet, isTrue])
                if let newValue { insert(newValue ? [isSet, isTrue] : isSet) }
            }
        }
    }

    /// The values that few endpoints have.
    private struct Rare: DefaultValues {
        var moreAddresses: [IPAddress] = []
        var zoneHints: [String] = []
        var nodeHints: [String] = []
    }

    public init(
        addresses: [IPAddress], ready: Bool? = nil, serving: Bool? = nil, terminating: Bool? = nil, nodeName: String? = nil,
        pod: String? = nil, zoneHints: [String] = [], nodeHints: [String] = []
    ) {
        address = addresses.first
        conditions = []
        self.nodeName = nodeName
        self.pod = pod
        self.ready = ready
        self.serving = serving
        self.terminating = terminating
        if addresses.count > 1 || !zoneHints.isEmpty || !nodeHints.isEmpty {
            rare.values = Rare(moreAddresses: Array(addresses.dropFirst()), zoneHints: zoneHints, nodeHints: nodeHints)
        }
    }

    /// `addresses`, up to the first that is not an IP address.
    public var addresses: [IPAddress] {
        get { address.map { [$0] + rare.values.moreAddresses } ?? [] }
        set {
            address = newValue.first
            rare.values.moreAddresses = Array(newValue.dropFirst())
        }
    }

    /// `conditions.ready`
    public var ready: Bool? {
        get { conditions[.hasReady, .isReady] }
        set { conditions[.hasReady, .isReady] = newValue }
    }

    /// `conditions.serving`
    public var serving: Bool? {
        get { conditions[.hasServing, .isServing] }
        set { conditions[.hasServing, .isServing] = newValue }
    }

    /// `conditions.terminating`
    public var terminating: Bool? {
        get { conditions[.hasTerminating, .isTerminating] }
        set { conditions[.hasTerminating, .isTerminating] = newValue }
    }

    /// `hints.forZones[].name`
    public var zoneHints: [String] {
        get { rare.values.zoneHints }
        set { rare.values.zoneHints = newValue }
    }

    /// `hints.forNodes[].name`
    public var nodeHints: [String] {
        get { rare.values.nodeHints }
        set { rare.values.nodeHints = newValue }
    }

    /// Whether it has any hints.
    public var hasHints: Bool { !rare.areDefaults && !(zoneHints.isEmpty && nodeHints.isEmpty) }

    /// Parses `addresses`.
    ///
    /// Parsing stops at the first invalid address, so that a later one does not take its place; FQDN slices have none.
    public static func addresses(_ texts: [String]) -> [IPAddress] {
        var addresses: [IPAddress] = []
        for text in texts {
            guard let address = IPAddress(text) else { break }
            addresses.append(address)
        }
        return addresses
    }

    /// Whether it accepts new connections; the API defines nil as true.
    public var isReady: Bool { ready ?? true }

    /// Whether it responds, even while terminating; the API defines nil as true.
    public var isServing: Bool { serving ?? true }

    /// Whether it is terminating; the API defines nil as false.
    public var isTerminating: Bool { terminating ?? false }
}

extension Endpoint: Decodable {
    /// The last two are for validation only.
    package enum CodingKeys: String, CodingKey {
        case addresses, conditions, nodeName, targetRef, hints, hostname, deprecatedTopology
    }

    private enum ConditionKeys: String, CodingKey { case ready, serving, terminating }
    private enum HintKeys: String, CodingKey { case forZones, forNodes }

    private struct Hint: Decodable {
        var name: String
    }

    public init(from decoder: any Decoder) throws {
        let fields = try decoder.container(keyedBy: CodingKeys.self)
        try self.init(fields, addresses: try fields.list(.addresses))
    }

    /// - Parameter addresses: `addresses` as written.
    package init(_ fields: KeyedDecodingContainer<CodingKeys>, addresses: [String]) throws {
        self.init(addresses: Endpoint.addresses(addresses))
        if let conditions = try fields.nested(ConditionKeys.self, .conditions) {
            ready = try conditions.decodeIfPresent(Bool.self, forKey: .ready)
            serving = try conditions.decodeIfPresent(Bool.self, forKey: .serving)
            terminating = try conditions.decodeIfPresent(Bool.self, forKey: .terminating)
        }
        nodeName = try fields.decodeIfPresent(String.self, forKey: .nodeName)
        pod = try fields.pod(.targetRef)
        if let hints = try fields.nested(HintKeys.self, .hints) {
            zoneHints = try hints.list(.forZones, of: Hint.self).map(\.name)
            nodeHints = try hints.list(.forNodes, of: Hint.self).map(\.name)
        }
    }
}

/// A port that the endpoints of a slice share (`EndpointSlice.ports[]`).
public struct EndpointPort: Hashable, Sendable {
    /// `name`: the name of the Service port that it serves.
    public var name: String?
    /// `port`
    public var port: UInt16?
    /// `protocol`
    public var transport: Transport

    public init(name: String? = nil, port: UInt16? = nil, transport: Transport = .tcp) {
        self.name = name
        self.port = port
        self.transport = transport
    }
}

extension EndpointPort: Decodable {
    private enum CodingKeys: String, CodingKey {
        case name, port, `protocol`
    }

    public init(from decoder: any Decoder) throws {
        let fields = try decoder.container(keyedBy: CodingKeys.self)
        self.init(
            name: try fields.decodeIfPresent(String.self, forKey: .name), port: try fields.port(.port),
            transport: try fields.choice(.protocol, default: .tcp))
    }
}
