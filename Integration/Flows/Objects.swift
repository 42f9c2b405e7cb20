import FoundationEssentials

/// The manifest of a dual-stack Service.
struct Service: Encodable {
    struct Metadata: Encodable {
        var name: String
        var namespace = "default"
        var labels: [String: String] = [:]
        var annotations: [String: String] = [:]
    }

    struct Port: Encodable {
        var name: String
        var `protocol` = "TCP"
        var port: UInt16
        var nodePort: UInt16?
    }

    struct Spec: Encodable {
        var type = "ClusterIP"
        var clusterIP: String?
        var clusterIPs: [String]?
        var ipFamilies: [String]? = ["IPv4", "IPv6"]
        var ipFamilyPolicy: String? = "RequireDualStack"
        var ports: [Port]
        var externalName: String?
        var externalIPs: [String]?
        var externalTrafficPolicy: String?
        var internalTrafficPolicy: String?
        var sessionAffinity: String?
        var sessionAffinityConfig: AffinityConfig?
        var healthCheckNodePort: UInt16?
        var loadBalancerSourceRanges: [String]?
        var allocateLoadBalancerNodePorts: Bool?
    }

    struct AffinityConfig: Encodable {
        struct ClientIP: Encodable { var timeoutSeconds: Int }
        var clientIP: ClientIP
    }

    struct Ingress: Encodable {
        var ip: String
        var ipMode: String?
    }

    struct Status: Encodable {
        struct LoadBalancer: Encodable { var ingress: [Ingress] = [] }
        var loadBalancer = LoadBalancer()
    }

    let apiVersion = "v1"
    let kind = "Service"
    var metadata: Metadata
    var spec: Spec
    var status = Status()

    /// - Parameters:
    ///   - number: the number of the flow. Its addresses and ports are unique, so that kernel state of other flows does not matter.
    ///   - ports: port 80 on TCP and UDP by default.
    init(
        _ number: Int, _ letter: Character = "a",
        ports: [Port] = [Port(name: "tcp", port: 80), Port(name: "udp", protocol: "UDP", port: 80)]
    ) {
        metadata = Metadata(name: "flow-\(number)-\(letter)")
        let addresses = [Address.cluster(number, letter), Address.cluster(number, letter, .v6)]
        spec = Spec(clusterIP: addresses[0], clusterIPs: addresses, ports: ports)
    }

    /// Returns the Service with a node port.
    func onNodePort(_ number: UInt16) -> Service {
        var service = onPorts(number)
        service.spec.type = "NodePort"
        return service
    }

    /// Returns the Service with this node port for all its ports, without changing its type.
    func onPorts(_ number: UInt16) -> Service {
        var service = self
        service.spec.ports = spec.ports.map { port in
            var port = port
            port.nodePort = number
            return port
        }
        return service
    }

    /// Returns the Service with these load balancer addresses.
    func onLoadBalancer(_ addresses: [String]) -> Service {
        var service = self
        service.spec.type = "LoadBalancer"
        service.status.loadBalancer.ingress = addresses.map { Ingress(ip: $0) }
        return service
    }

    func with(internalPolicy: String? = nil, externalPolicy: String? = nil) -> Service {
        var service = self
        service.spec.internalTrafficPolicy = internalPolicy
        service.spec.externalTrafficPolicy = externalPolicy
        return service
    }

    /// Returns the Service with session affinity and this timeout.
    func withAffinity(seconds: Int? = nil) -> Service {
        var service = self
        service.spec.sessionAffinity = "ClientIP"
        service.spec.sessionAffinityConfig = seconds.map { AffinityConfig(clientIP: .init(timeoutSeconds: $0)) }
        return service
    }

    /// Returns the Service with only these families, in this order.
    func of(_ families: [Family]) -> Service {
        var service = self
        let addresses = families.compactMap { family in spec.clusterIPs?.first { $0.contains(":") == (family == .v6) } }
        service.spec.clusterIP = addresses.first
        service.spec.clusterIPs = addresses
        service.spec.ipFamilies = families.map { $0 == .v4 ? "IPv4" : "IPv6" }
        service.spec.ipFamilyPolicy = families.count == 1 ? "SingleStack" : "RequireDualStack"
        return service
    }
}

/// An EndpointSlice of one family.
struct Slice: Encodable {
    struct Endpoint: Encodable {
        struct Conditions: Encodable {
            var ready = true
            var serving = true
            var terminating = false
        }
        struct Hint: Encodable { var name: String }
        struct Hints: Encodable {
            var forZones: [Hint]?
            var forNodes: [Hint]?
        }
        var addresses: [String]
        var conditions = Conditions()
        var nodeName: String
        var hints: Hints?
    }

    struct Port: Encodable {
        var name: String
        var `protocol`: String
        var port: UInt16
    }

    let apiVersion = "discovery.k8s.io/v1"
    let kind = "EndpointSlice"
    var metadata: Service.Metadata
    var addressType: String
    var endpoints: [Endpoint]
    var ports: [Port]

    init(
        of service: Service, _ servers: [Server], _ family: Family, ports: [String: UInt16] = [:], part: String = "",
        _ state: Endpoint.Conditions
    ) {
        metadata = Service.Metadata(name: "\(service.metadata.name)-\(family)\(part)")
        metadata.labels = ["kubernetes.io/service-name": service.metadata.name]
        addressType = family == .v4 ? "IPv4" : "IPv6"
        endpoints = servers.map { Endpoint(addresses: [$0.address(family)], conditions: state, nodeName: $0.node) }
        self.ports = service.spec.ports.map { Port(name: $0.name, protocol: $0.protocol, port: ports[$0.name] ?? 8080) }
    }
}

/// A Service with its endpoints.
struct Served {
    var service: Service
    var slices: [Slice]

    /// - Parameter ports: target ports by port name; 8080 by default.
    init(_ service: Service, by servers: [Server], ports: [String: UInt16] = [:], _ state: Slice.Endpoint.Conditions = .init()) {
        self.service = service
        slices = Family.allCases.map { Slice(of: service, servers, $0, ports: ports, state) }
    }

    /// Returns the Service with more endpoints, in separate slices.
    func and(by servers: [Server], part: String, ports: [String: UInt16] = [:], _ state: Slice.Endpoint.Conditions = .init()) -> Served {
        var served = self
        served.slices += Family.allCases.map { Slice(of: service, servers, $0, ports: ports, part: part, state) }
        return served
    }
}

extension Slice.Endpoint.Conditions {
    /// Terminating and still serving.
    static let terminating = Slice.Endpoint.Conditions(ready: false, serving: true, terminating: true)
    static let unready = Slice.Endpoint.Conditions(ready: false, serving: false, terminating: false)
    /// Terminating and no longer serving.
    static let terminatingNotServing = Slice.Endpoint.Conditions(ready: false, serving: false, terminating: true)
    /// The conditions that the control plane writes for pods of a Service with `publishNotReadyAddresses`, whatever their state.
    static let publishedUnready = Slice.Endpoint.Conditions(ready: true, serving: false, terminating: false)
    static let publishedTerminating = Slice.Endpoint.Conditions(ready: true, serving: true, terminating: true)
}
