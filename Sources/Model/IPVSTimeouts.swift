/// How long IPVS keeps connections without traffic; zero keeps the kernel's value.
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
