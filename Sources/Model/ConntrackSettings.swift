/// What the kernel's connection tracking is to be told; zero leaves what it has.
public struct ConntrackSettings: Hashable, Sendable {
    /// Connections for each processor; 0 leaves the limit alone, whatever `min` says.
    public var maxPerCore: Int
    /// The limit, at least.
    public var min: Int
    public var tcpEstablishedTimeout: Duration
    public var tcpCloseWaitTimeout: Duration
    /// Packets outside the TCP window are not invalid; false leaves what the kernel has.
    public var tcpBeLiberal: Bool
    public var udpTimeout: Duration
    public var udpStreamTimeout: Duration

    public init(
        maxPerCore: Int = 0, min: Int = 0, tcpEstablishedTimeout: Duration = .zero, tcpCloseWaitTimeout: Duration = .zero,
        tcpBeLiberal: Bool = false, udpTimeout: Duration = .zero, udpStreamTimeout: Duration = .zero
    ) {
        self.maxPerCore = maxPerCore
        self.min = min
        self.tcpEstablishedTimeout = tcpEstablishedTimeout
        self.tcpCloseWaitTimeout = tcpCloseWaitTimeout
        self.tcpBeLiberal = tcpBeLiberal
        self.udpTimeout = udpTimeout
        self.udpStreamTimeout = udpStreamTimeout
    }
}
