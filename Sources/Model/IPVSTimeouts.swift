/// How long IPVS keeps connections without traffic; zero leaves what the kernel has.
public struct IPVSTimeouts: Hashable, Sendable {
    public var tcp: Duration
    /// After a FIN.
    public var tcpFin: Duration
    public var udp: Duration

    public init(tcp: Duration = .zero, tcpFin: Duration = .zero, udp: Duration = .zero) {
        self.tcp = tcp
        self.tcpFin = tcpFin
        self.udp = udp
    }
}
