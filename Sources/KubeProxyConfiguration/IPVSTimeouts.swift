/// How long IPVS keeps connections without traffic; zero leaves what the kernel has.
public struct IPVSTimeouts: Hashable, Sendable {
    public var tcp: Duration
    /// After a FIN.
    public var tcpFin: Duration
    public var udp: Duration

    init(_ configuration: KubeProxyIPVSConfiguration) {
        tcp = configuration.tcpTimeout.duration
        tcpFin = configuration.tcpFinTimeout.duration
        udp = configuration.udpTimeout.duration
    }
}
