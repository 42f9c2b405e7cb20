/// Settings of the kernel's connection tracking; zero keeps the kernel's value.
public struct ConntrackSettings: Hashable, Sendable {
    /// Connections per CPU; 0 keeps the kernel's limit, regardless of `min`.
    public var maxPerCore: Int
    /// The lower bound of the limit.
    public var min: Int
    public var tcpEstablishedTimeout: Duration
    public var tcpCloseWaitTimeout: Duration
    /// Whether packets outside the TCP window count as valid; false keeps the kernel's value.
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
