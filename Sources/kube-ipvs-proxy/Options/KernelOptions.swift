internal import ArgumentParser
internal import KubeProxyConfiguration

/// The flags for kernel settings.
struct KernelOptions: ParsableArguments {
    @Option(
        name: .customLong("ipvs-strict-arp"),
        help: ArgumentHelp("Enable strict ARP by setting arp_ignore to 1 and arp_announce to 2.", valueName: "bool"))
    var ipvsStrictARP: GoBool?

    @Option(
        name: .customLong("ipvs-tcp-timeout"),
        help: ArgumentHelp("Timeout for idle IPVS TCP connections; 0 keeps the kernel's value.", valueName: "duration"))
    var ipvsTCPTimeout: GoDuration?

    @Option(
        name: .customLong("ipvs-tcpfin-timeout"),
        help: ArgumentHelp("Timeout for IPVS TCP connections after a FIN packet; 0 keeps the kernel's value.", valueName: "duration"))
    var ipvsTCPFinTimeout: GoDuration?

    @Option(
        name: .customLong("ipvs-udp-timeout"),
        help: ArgumentHelp("Timeout for idle IPVS UDP connections; 0 keeps the kernel's value.", valueName: "duration"))
    var ipvsUDPTimeout: GoDuration?

    @Option(
        help: ArgumentHelp(
            "Maximum number of connections to track per CPU core; 0 keeps the limit and ignores --conntrack-min.",
            discussion: "Default: 32768.",
            valueName: "number"))
    var conntrackMaxPerCore: Int32?

    @Option(
        help: ArgumentHelp(
            "Minimum number of connections to track, regardless of --conntrack-max-per-core.", discussion: "Default: 131072.",
            valueName: "number"))
    var conntrackMin: Int32?

    @Option(
        name: .customLong("conntrack-tcp-timeout-established"),
        help: ArgumentHelp(
            "Conntrack timeout for idle established TCP connections; 0 keeps the kernel's value.", discussion: "Default: 24h.",
            valueName: "duration"))
    var conntrackTCPTimeoutEstablished: GoDuration?

    @Option(
        name: .customLong("conntrack-tcp-timeout-close-wait"),
        help: ArgumentHelp(
            "Conntrack timeout for TCP connections in CLOSE_WAIT; 0 keeps the kernel's value.", discussion: "Default: 1h.",
            valueName: "duration"))
    var conntrackTCPTimeoutCloseWait: GoDuration?

    @Option(
        name: .customLong("conntrack-tcp-be-liberal"),
        help: ArgumentHelp("Do not treat packets outside the TCP window as invalid (nf_conntrack_tcp_be_liberal).", valueName: "bool"))
    var conntrackTCPBeLiberal: GoBool?

    @Option(
        name: .customLong("conntrack-udp-timeout"),
        help: ArgumentHelp("Conntrack timeout for UDP connections without a reply; 0 keeps the kernel's value.", valueName: "duration"))
    var conntrackUDPTimeout: GoDuration?

    @Option(
        name: .customLong("conntrack-udp-timeout-stream"),
        help: ArgumentHelp("Conntrack timeout for UDP connections with replies; 0 keeps the kernel's value.", valueName: "duration"))
    var conntrackUDPTimeoutStream: GoDuration?

    @Option(
        name: .customLong("oom-score-adj"),
        help: ArgumentHelp(
            "The oom-score-adj value of this process, from -1000 (never killed) to 1000 (killed first).", discussion: "Default: -999.",
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
