import Kubernetes
import Model
import Testing
import Translation

/// A cluster in a few words, for tests.
struct Cluster {
    var state = ClusterState()
    var translation: Translation
    var localAddresses: Set<IPAddress>

    init(_ settings: TranslationSettings = TranslationSettings(nodeName: "node1"), local: [String] = ["10.99.0.2", "fd00:99::2"]) {
        translation = Translation(settings)
        localAddresses = Set(local.compactMap { IPAddress($0) })
    }

    mutating func set(_ service: Service) { state.apply(.service(service.metadata.namespacedName, service)) }
    mutating func set(_ slice: EndpointSlice) { state.apply(.endpointSlice(slice.metadata.namespacedName, slice)) }
    mutating func set(_ node: Node?) { state.apply(.node("node1", node)) }
    mutating func remove(_ name: String) { state.apply(.service(NamespacedName(namespace: "default", name: name), nil)) }

    @discardableResult
    mutating func translate() -> Scope { translation.update(state.takeDirty().services, of: state, localAddresses: localAddresses) }

    /// `-A`/`-a` lines, sorted, as `ipvsadm -S -n` would print them but shorter: `10.96.0.1:80/TCP [10.244.0.1:8080 …]`.
    var servers: [String] {
        translation.desired.virtualServers.values.map { server in
            "\(server.identity) [\(server.realServers.keys.sorted().map(\.description).joined(separator: " "))]"
        }.sorted()
    }

    func members(_ set: KubeSet, _ family: IPFamily = .ipv4) -> [String] {
        (translation.desired.sets[set.name(family)]?.members.keys.map(\.description) ?? []).sorted()
    }
}

extension Service {
    static func clusterIP(
        _ name: String, _ address: String, port: UInt16 = 80, nodePort: UInt16 = 0, transport: Transport = .tcp, created: String? = nil,
        labels: [String: String] = [:]
    ) -> Service {
        Service(
            metadata: ObjectMeta(name: name, namespace: "default", labels: labels, creationTimestamp: created), clusterIP: address,
            clusterIPs: [address],
            ports: [ServicePort(name: "p", transport: transport, port: port, nodePort: nodePort)])
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
                name: "\(service)-\(name)", namespace: "default", labels: labels.merging([serviceNameLabel: service]) { $1 }),
            addressType: type,
            endpoints: endpoints, ports: [EndpointPort(name: portName, port: port, transport: transport)])
    }
}

extension Endpoint {
    static func at(_ address: String, ready: Bool? = nil, serving: Bool? = nil, terminating: Bool? = nil, node: String? = nil) -> Endpoint {
        Endpoint(addresses: [address], ready: ready, serving: serving, terminating: terminating, nodeName: node)
    }
}
