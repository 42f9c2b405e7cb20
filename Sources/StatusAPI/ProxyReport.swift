public import Model

/// The response of a running proxy to `GET /state` on its socket: the desired kernel state of Services, with their names.
///
/// `docs/status.md` describes its JSON; `apiVersion` changes when a field is removed or changes its meaning.
public struct ProxyReport: Codable, Hashable, Sendable {
    public static let path = "/state"
    /// The name of the socket in the state directory.
    public static let socketName = "status.sock"
    /// The query parameter with a label selector of Services, as in `?labelSelector=app%3Dweb`.
    public static let selectorParameter = "labelSelector"
    public static let apiVersion = "kube-ipvs-proxy/v1alpha1"
    public static let kind = "ProxyState"

    public var apiVersion = ProxyReport.apiVersion
    public var kind = ProxyReport.kind
    /// The name of this node's Node object.
    public var node: String
    /// Whether the last sync was complete.
    public var inSync: Bool
    public var virtualServers: [Server]
    /// The parts of Services that are not served.
    public var notServed: [NotServed]
    /// The failures that are being retried; nil if the proxy does not report them.
    public var failing: [Failing]?

    public struct Server: Codable, Hashable, Sendable {
        /// `TCP`, `UDP` or `SCTP`.
        public var `protocol`: Transport
        public var address: String
        public var port: UInt16
        public var namespace: String
        public var service: String
        /// The name of the port; empty if the only port of the Service has no name.
        public var portName: String
        /// `ClusterIP`, `NodePort`, `ExternalIP` or `LoadBalancer`.
        public var addressKind: String
        public var realServers: [Endpoint]
        /// The real servers that keep their connections and get no new ones.
        public var draining: [Draining]
        /// Why there are no real servers; nil if there are some.
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
        /// Seconds since draining started.
        public var seconds: Int64
        /// Seconds until its connections are terminated.
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
        /// The command equivalent to the operation, or what cannot be read.
        public var what: String
        /// The affected Service port, such as `default/web:http (ClusterIP)`.
        public var service: String?
        /// The error of the kernel.
        public var error: String
        /// The number of consecutive failures.
        public var attempts: Int
        /// Seconds since the first failure.
        public var seconds: Int64?
        /// Seconds until the next retry.
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
            realServers: server.realServers.map { real in
                ProxyReport.Endpoint(
                    address: "\(real.location.address)", port: real.location.port, pod: real.origin?.pod, node: real.origin?.node)
            },
            draining: draining, whyEmpty: whyEmpty)
    }

    /// The identity of the virtual server; nil if its address is invalid.
    public var identity: VirtualServer.Identity? {
        IPAddress(address).map { VirtualServer.Identity(self.protocol, AddressPort($0, port)) }
    }

    /// `default/web:http`, `default/web` if the port has no name.
    public var servicePort: String { "\(namespace)/\(service)\(portName.isEmpty ? "" : ":\(portName)")" }
}
