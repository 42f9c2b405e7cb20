public import Model
public import StatusAPI

/// The kernel's table with what the proxy knows of it: what `kube-ipvs-proxy status -o json` prints.
///
/// `docs/status.md` describes its JSON; `apiVersion` changes when a field changes its meaning or goes.
public struct StatusDocument: Encodable, Hashable, Sendable {
    public let apiVersion = ProxyReport.apiVersion
    public let kind = "Status"
    /// Whether a proxy answered; without one there are no names.
    public var proxyAnswered: Bool
    /// Nil where no proxy answered.
    public var inStep: Bool?
    public var virtualServers: [Server]
    public var notServed: [ProxyReport.NotServed]
    /// What failed and is tried again.
    public var failing: [ProxyReport.Failing]

    private enum CodingKeys: CodingKey { case apiVersion, kind, proxyAnswered, inStep, virtualServers, notServed, failing }

    public struct Server: Encodable, Hashable, Sendable {
        /// `TCP`, `UDP`, `SCTP` or a number; nil for a firewall mark.
        public var `protocol`: String?
        public var address: String?
        public var port: UInt16?
        public var firewallMark: UInt32?
        public var family: IPFamily
        /// Nil for a virtual server of somebody else.
        public var service: Service?
        /// False where the proxy wants it and the kernel does not have it.
        public var inKernel: Bool
        public var scheduler: String?
        public var schedulerFlags: [String]
        /// Seconds for which a client keeps its real server; nil where it does not.
        public var persistenceSeconds: UInt32?
        public var onePacket: Bool
        public var counters: Counters
        public var realServers: [RealServer]
        /// Nil where it has real servers or nobody knows.
        public var whyEmpty: String?
    }

    public struct Service: Encodable, Hashable, Sendable {
        public var namespace: String
        public var name: String
        /// Empty where the Service's only port has no name.
        public var port: String
        /// `ClusterIP`, `NodePort`, `ExternalIP` or `LoadBalancer`.
        public var addressKind: String
    }

    public struct RealServer: Encodable, Hashable, Sendable {
        public var address: String
        public var port: UInt16
        /// `Masq`, `Local`, `Tunnel` or `Route`.
        public var forwarding: String
        public var weight: UInt32
        public var activeConnections: UInt32
        public var inactiveConnections: UInt32
        public var persistentConnections: UInt32
        public var upperThreshold: UInt32
        public var lowerThreshold: UInt32
        public var counters: Counters
        public var pod: String?
        public var node: String?
        /// Nil where it takes new connections, or nobody knows.
        public var draining: Draining?
    }

    public struct Draining: Encodable, Hashable, Sendable {
        public var seconds: Int64
        public var secondsLeft: Int64
    }

    /// Since they were zeroed, and a second.
    public struct Counters: Encodable, Hashable, Sendable {
        public var connections: UInt64
        public var inPackets: UInt64
        public var outPackets: UInt64
        public var inBytes: UInt64
        public var outBytes: UInt64
        public var connectionsPerSecond: UInt64
        public var inPacketsPerSecond: UInt64
        public var outPacketsPerSecond: UInt64
        public var inBytesPerSecond: UInt64
        public var outBytesPerSecond: UInt64
    }
}
