/// What the kernel's connection tracking is to be told; zero leaves what it has.
public struct ConntrackSettings: Hashable, Sendable {
    /// Connections for each processor; 0 leaves the limit alone, whatever `min` says.
    public var maxPerCore: Int
    /// The limit, at least.
    public var min: Int
    public var tcpEstablishedTimeout: Duration
    public var tcpCloseWaitTimeout: Duration
    public var tcpBeLiberal: Bool
    public var udpTimeout: Duration
    public var udpStreamTimeout: Duration

    init(_ configuration: KubeProxyConntrackConfiguration) {
        maxPerCore = Int(configuration.maxPerCore ?? 0)
        min = Int(configuration.min ?? 0)
        tcpEstablishedTimeout = (configuration.tcpEstablishedTimeout ?? .zero).duration
        tcpCloseWaitTimeout = (configuration.tcpCloseWaitTimeout ?? .zero).duration
        tcpBeLiberal = configuration.tcpBeLiberal
        udpTimeout = configuration.udpTimeout.duration
        udpStreamTimeout = configuration.udpStreamTimeout.duration
    }
}
