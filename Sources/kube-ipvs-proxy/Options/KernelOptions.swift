internal import ArgumentParser
internal import KubeProxyConfiguration

/// The flags about settings of the kernel.
struct KernelOptions: ParsableArguments {
    @Option(
        name: .customLong("ipvs-strict-arp"),
        help: ArgumentHelp("Answer ARP only for addresses of the interface asked on (arp_ignore 1, arp_announce 2).", valueName: "bool"))
    var ipvsStrictARP: GoBool?

    @Option(
        name: .customLong("ipvs-tcp-timeout"),
        help: ArgumentHelp("How long IPVS keeps TCP connections without traffic; 0 leaves what the kernel has.", valueName: "duration"))
    var ipvsTCPTimeout: GoDuration?

    @Option(
        name: .customLong("ipvs-tcpfin-timeout"),
        help: ArgumentHelp("The same for TCP connections after a FIN.", valueName: "duration"))
    var ipvsTCPFinTimeout: GoDuration?

    @Option(name: .customLong("ipvs-udp-timeout"), help: ArgumentHelp("The same for UDP.", valueName: "duration"))
    var ipvsUDPTimeout: GoDuration?

    @Option(
        help: ArgumentHelp(
            "How many connections are tracked for each processor; 0 leaves the limit alone.", discussion: "Default: 32768.",
            valueName: "number"))
    var conntrackMaxPerCore: Int32?

    @Option(
        help: ArgumentHelp("How many connections are tracked at least.", discussion: "Default: 131072.", valueName: "number"))
    var conntrackMin: Int32?

    @Option(
        name: .customLong("conntrack-tcp-timeout-established"),
        help: ArgumentHelp(
            "How long an established TCP connection without traffic is tracked; 0 leaves what the kernel has.", discussion: "Default: 24h.",
            valueName: "duration"))
    var conntrackTCPTimeoutEstablished: GoDuration?

    @Option(
        name: .customLong("conntrack-tcp-timeout-close-wait"),
        help: ArgumentHelp("The same for one in CLOSE_WAIT.", discussion: "Default: 1h.", valueName: "duration"))
    var conntrackTCPTimeoutCloseWait: GoDuration?

    @Option(
        name: .customLong("conntrack-tcp-be-liberal"),
        help: ArgumentHelp("Do not take packets outside the TCP window for invalid.", valueName: "bool"))
    var conntrackTCPBeLiberal: GoBool?

    @Option(
        name: .customLong("conntrack-udp-timeout"),
        help: ArgumentHelp("How long UDP without a reply is tracked; 0 leaves what the kernel has.", valueName: "duration"))
    var conntrackUDPTimeout: GoDuration?

    @Option(
        name: .customLong("conntrack-udp-timeout-stream"),
        help: ArgumentHelp("The same for UDP with replies.", valueName: "duration"))
    var conntrackUDPTimeoutStream: GoDuration?

    @Option(
        name: .customLong("oom-score-adj"),
        help: ArgumentHelp(
            "How likely the kernel ends this program when memory runs out: -1000 never, 1000 first.", discussion: "Default: -999.",
            valueName: "number"))
    var oomScoreAdj: Int32?

    func put(into flags: inout FlagValues) {
        flags.ipvsStrictARP = ipvsStrictARP?.value
        flags.ipvsTCPTimeout = ipvsTCPTimeout
        flags.ipvsTCPFinTimeout = ipvsTCPFinTimeout
        flags.ipvsUDPTimeout = ipvsUDPTimeout
        flags.oomScoreAdj = oomScoreAdj
        flags.conntrack.maxPerCore = conntrackMaxPerCore
        flags.conntrack.min = conntrackMin
        flags.conntrack.tcpTimeoutEstablished = conntrackTCPTimeoutEstablished
        flags.conntrack.tcpTimeoutCloseWait = conntrackTCPTimeoutCloseWait
        flags.conntrack.tcpBeLiberal = conntrackTCPBeLiberal?.value
        flags.conntrack.udpTimeout = conntrackUDPTimeout
        flags.conntrack.udpTimeoutStream = conntrackUDPTimeoutStream
    }
}
