public import Model

/// What a running proxy answers on its socket to `GET /state`: what the kernel is to hold of the cluster's Services, and for whom.
///
/// `docs/status.md` describes its JSON; `apiVersion` changes when a field changes its meaning or goes.
public struct ProxyReport: Codable, Hashable, Sendable {
    public static let path = "/state"
    /// The socket's name in the state directory.
    public static let socketName = "status.sock"
    /// Narrows it to the Services that a label selector matches, as `?labelSelector=app%3Dweb`.
    public static let selectorParameter = "labelSelector"
    public static let apiVersion = "kube-ipvs-proxy/v1alpha1"
    public static let kind = "ProxyState"

    public var apiVersion = ProxyReport.apiVersion
    public var kind = ProxyReport.kind
    /// The name of this node's Node object.
    public var node: String
    /// Whether the last sync left nothing undone.
    public var inSync: Bool
    public var virtualServers: [Server]
    /// What Services ask for that is not served.
    public var notServed: [NotServed]
    /// What failed and is tried again; nil from a proxy that does not say.
    public var failing: [Failing]?

    public struct Server: Codable, Hashable, Sendable {
        /// `TCP`, `UDP` or `SCTP`.
        public var `protocol`: Transport
        public var address: String
        public var port: UInt16
        public var namespace: String
        public var service: String
        /// Empty where the Service's only port has no name.
        public var portName: String
        /// `ClusterIP`, `NodePort`, `ExternalIP` or `LoadBalancer`.
        public var addressKind: String
        public var realServers: [Endpoint]
        /// Those that get no new connections and keep the ones they have.
        public var draining: [Draining]
        /// Why it has no real servers; nil where it has some.
        public var whyEmpty: String?
    }

    public struct Endpoint: Codable, Hashable, Sendable {
        public var address: String
        public var port: UInt16
        public var pod: String?
        public var node: String?

        public init(address: String, port: UInt16, pod: String?, node: String?) {
            self.address = address
            self.port = port
            self.pod = pod
            self.node = node
        }
    }

    public struct Draining: Codable, Hashable, Sendable {
        public var address: String
        public var port: UInt16
        public var pod: String?
        public var node: String?
        /// Since when, in seconds before the report.
        public var seconds: Int64
        /// Until its connections are given up.
        public var secondsLeft: Int64

        public init(address: String, port: UInt16, pod: String?, node: String?, seconds: Int64, secondsLeft: Int64) {
            self.address = address
            self.port = port
            self.pod = pod
            self.node = node
            self.seconds = seconds
            self.secondsLeft = secondsLeft
        }
    }

    public struct NotServed: Codable, Hashable, Sendable {
        public var namespace: String
        public var service: String
        public var reason: String

        public init(_ service: NamespacedName, reason: String) {
            namespace = service.namespace
            self.service = service.name
            self.reason = reason
        }
    }

    public struct Failing: Codable, Hashable, Sendable {
        /// The command that the operation equals, or what cannot be read.
        public var what: String
        /// The Service port it is about, such as `default/web:http (ClusterIP)`.
        public var service: String?
        /// The kernel's word.
        public var error: String
        /// How often in a row.
        public var attempts: Int
        /// Since when, in seconds before the report.
        public var seconds: Int64?
        /// Until it is tried again.
        public var secondsToRetry: Int64?

        public init(what: String, service: String?, error: String, attempts: Int, seconds: Int64? = nil, secondsToRetry: Int64? = nil) {
            self.what = what
            self.service = service
            self.error = error
            self.attempts = attempts
            self.seconds = seconds
            self.secondsToRetry = secondsToRetry
        }
    }

    public init(node: String, inSync: Bool, virtualServers: [Server], notServed: [NotServed], failing: [Failing] = []) {
        self.node = node
        self.inSync = inSync
        self.virtualServers = virtualServers
        self.notServed = notServed
        self.failing = failing
    }
}

extension ProxyReport.Server {
    public init(_ server: VirtualServer, origin: ServiceOrigin, draining: [ProxyReport.Draining], whyEmpty: String?) {
        self.init(
            protocol: server.identity.transport, address: "\(server.identity.location.address)", port: server.identity.location.port,
            namespace: origin.service.namespace, service: origin.service.name, portName: origin.portName,
            addressKind: origin.kind.rawValue,
            realServers: server.realServers.values.sorted { $0.location < $1.location }.map { real in
                ProxyReport.Endpoint(
                    address: "\(real.location.address)", port: real.location.port, pod: real.origin?.pod, node: real.origin?.node)
            },
            draining: draining, whyEmpty: whyEmpty)
    }

    /// Nil where it is none.
    public var identity: VirtualServer.Identity? {
        IPAddress(address).map { VirtualServer.Identity(self.protocol, AddressPort($0, port)) }
    }

    /// `default/web:http`, `default/web` where the port has no name.
    public var servicePort: String { "\(namespace)/\(service)\(portName.isEmpty ? "" : ":\(portName)")" }
}
