import Kubernetes
import Model
import Testing
import Translation

@testable import KernelDataplane

/// A small cluster for tests.
struct Cluster {
    var state = ClusterState()
    var translation: Translation
    var localAddresses: Set<IPAddress>
    /// Those of `localAddresses` that are tentative.
    var tentativeAddresses: Set<IPAddress> = []
    var nodeAddresses: NodeAddresses { NodeAddresses(localAddresses, tentative: tentativeAddresses) }

    init(_ settings: TranslationSettings = TranslationSettings(nodeName: "node1"), local: [String] = ["10.99.0.2", "fd00:99::2"]) {
        translation = Translation(settings)
        localAddresses = Set(local.compactMap { IPAddress($0) })
    }

    /// Creates a cluster with these Services and slices, and translates it.
    init(
        _ services: [Service], _ slices: [EndpointSlice] = [], settings: TranslationSettings = TranslationSettings(nodeName: "node1"),
        local: [String] = ["10.99.0.2", "fd00:99::2"], node: Node? = nil
    ) {
        self.init(settings, local: local)
        services.forEach { set($0) }
        slices.forEach { set($0) }
        if let node { set(node) }
        translate()
    }

    mutating func set(_ service: Service) { state.apply(.service(service.metadata.namespacedName, service)) }
    mutating func set(_ slice: EndpointSlice) { state.apply(.endpointSlice(slice.metadata.namespacedName, slice)) }
    mutating func set(_ node: Node?, name: String = "node1") { state.apply(.node(name, node)) }
    mutating func remove(_ name: String) { state.apply(.service(NamespacedName(namespace: "default", name: name), nil)) }
    mutating func removeSlice(_ name: String) { state.apply(.endpointSlice(NamespacedName(namespace: "default", name: name), nil)) }

    @discardableResult
    mutating func translate() -> Scope { translation.update(state.popDirtyServices(), of: state, nodeAddresses) }

    /// The virtual servers, sorted, each with its real servers: `10.96.0.1:80/TCP [10.244.0.1:8080 …]`.
    var servers: [String] {
        translation.desired.virtualServers.values.map { server in
            "\(server.identity) [\(server.realServers.locations.sorted().map(\.description).joined(separator: " "))]"
        }.sorted()
    }

    /// Returns the real servers of a virtual server, without their ports; nil if there is no such virtual server.
    func endpoints(_ server: String) -> [String]? {
        translation.desired.virtualServers.first { $0.key.description == server }?.value.realServers.locations.sorted().map(
            \.address.description)
    }

    func members(_ set: KubeSet, _ family: IPFamily = .ipv4) -> [String] {
        (translation.desired.sets[set.name(family)]?.members.keys.map(\.description) ?? []).sorted()
    }

    /// The addresses on `kube-ipvs0`.
    var bound: [String] { translation.desired.addresses.keys.sorted().map(\.description) }

    /// The local routes: `10.96.0.10 src 10.99.0.2`.
    var routed: [String] {
        translation.desired.routes.sorted { $0.key < $1.key }.map { "\($0.key)\($0.value.source.map { " src \($0)" } ?? "")" }
    }

    /// The rules of a chain, as iptables-save prints them.
    func rules(_ table: Rules.Table, _ chain: String, _ family: IPFamily = .ipv4) -> [String] {
        (translation.desired.rules[family]?.chains[Rules.Chain(table, chain)] ?? []).map { RuleText.text($0, family) }
    }

    /// Returns rules by their target and the set they match: `KUBE-MARK-MASQ(KUBE-CLUSTER-IP)`, `DROP`.
    func targets(_ table: Rules.Table, _ chain: String, _ family: IPFamily = .ipv4) -> [String] {
        rules(table, chain, family).map { rule in
            let words = rule.split(separator: " ").map(String.init)
            func word(after flag: String) -> String? { words.lastIndex(of: flag).map { words[$0 + 1] } }
            return (word(after: "-j") ?? "") + (word(after: "--match-set").map { "(\($0))" } ?? "")
        }
    }

    /// The refused claims, each with its field and reason.
    var refused: [String] { translation.refusedAddresses.values.flatMap(\.self).sorted().map(\.description) }
}

extension Scope {
    /// The selected parts; nil for everything.
    var selection: Selection? {
        guard case .only(let selection) = self else { return nil }
        return selection
    }
}

extension Service {
    static func clusterIP(
        _ name: String, _ address: String, port: UInt16 = 80, nodePort: UInt16 = 0, transport: Transport = .tcp, created: String? = nil,
        labels: [String: String] = [:]
    ) -> Service {
        Service(
            metadata: ObjectMeta(name: name, namespace: "default", labels: Labels(labels), creationTimestamp: created.flatMap { Time($0) }),
            clusterIP: address,
            clusterIPs: [address],
            ports: [ServicePort(name: "p", transport: transport, port: port, nodePort: nodePort)])
    }

    static func loadBalancer(
        _ name: String, _ address: String, ingress: [String], ranges: [String] = [], nodePort: UInt16 = 0, policy: TrafficPolicy = .cluster,
        healthCheckNodePort: UInt16 = 0
    ) -> Service {
        var service = clusterIP(name, address, nodePort: nodePort)
        service.type = .loadBalancer
        service.loadBalancerIngress = ingress.map { LoadBalancerIngress(ip: $0) }
        service.loadBalancerSourceRanges = ranges
        service.externalTrafficPolicy = policy
        service.healthCheckNodePort = healthCheckNodePort
        return service
    }

    /// Returns a copy with changes.
    func with(_ change: (inout Service) -> Void) -> Service {
        var copy = self
        change(&copy)
        return copy
    }
}

extension EndpointSlice {
    static func of(
        _ service: String, _ endpoints: [Endpoint], name: String = "a", type: AddressType = .ipv4, port: UInt16? = 8080,
        transport: Transport = .tcp,
        portName: String? = "p", labels: [String: String] = [:]
    ) -> EndpointSlice {
        EndpointSlice(
            metadata: ObjectMeta(
                name: "\(service)-\(name)", namespace: "default", labels: Labels(labels.merging([serviceNameLabel: service]) { $1 })),
            addressType: type,
            endpoints: endpoints, ports: [EndpointPort(name: portName, port: port, transport: transport)])
    }
}

extension Endpoint {
    static func at(
        _ address: String, ready: Bool? = nil, serving: Bool? = nil, terminating: Bool? = nil, node: String? = nil, zones: [String] = [],
        nodes: [String] = []
    ) -> Endpoint {
        Endpoint(
            addresses: Endpoint.addresses([address]), ready: ready, serving: serving, terminating: terminating, nodeName: node,
            zoneHints: zones,
            nodeHints: nodes)
    }

    /// Returns a terminating endpoint.
    static func terminating(_ address: String, serving: Bool, node: String? = nil) -> Endpoint {
        .at(address, ready: false, serving: serving, terminating: true, node: node)
    }
}

extension Node {
    static func named(_ name: String = "node1", addresses: [String] = [], zone: String? = nil) -> Node {
        Node(
            metadata: ObjectMeta(name: name, labels: zone.map { [Node.zoneLabel: $0] } ?? [:]),
            addresses: addresses.map { NodeAddress(type: "InternalIP", address: $0) })
    }
}
