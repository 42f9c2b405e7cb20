internal import ArgumentParser
internal import Model
internal import StatusTable

/// The flags of `ipvsadm -L`, `-S` and `-Z`, with the same meaning.
struct IPVSAdmOptions: ParsableArguments {
    @Flag(name: [.customShort("L"), .customShort("l"), .customLong("list")], help: "List virtual and real servers (the default).")
    var list = false

    @Flag(name: [.customShort("S"), .customLong("save")], help: "Print the table in the format that ipvsadm -R reads.")
    var save = false

    @Flag(name: [.customShort("Z"), .customLong("zero")], help: "Zero the counters of one virtual server, or of all.")
    var zero = false

    @Flag(
        name: [.customShort("n"), .customLong("numeric")],
        help: "Print exactly the output of ipvsadm -n: no names, and only the contents of the kernel's table.")
    var numeric = false

    @Option(name: [.customShort("t"), .customLong("tcp-service")], help: ArgumentHelp("Select this virtual server.", valueName: "ip:port"))
    var tcpService: AddressPort?

    @Option(name: [.customShort("u"), .customLong("udp-service")], help: ArgumentHelp("Select this virtual server.", valueName: "ip:port"))
    var udpService: AddressPort?

    @Option(help: ArgumentHelp("Select this virtual server.", valueName: "ip:port"))
    var sctpService: AddressPort?

    @Option(
        name: [.customShort("f"), .customLong("fwmark-service")],
        help: ArgumentHelp("Select the virtual server with this firewall mark.", valueName: "mark"))
    var fwmarkService: UInt32?

    @Flag(name: [.customShort("6"), .customLong("ipv6")], help: "The firewall mark is for IPv6.")
    var ipv6 = false

    @Flag(name: [.customShort("c"), .customLong("connection")], help: "List connections.")
    var connection = false

    @Flag(help: "Show connections, packets and bytes since the counters were zeroed.")
    var stats = false

    @Flag(help: "Show connections, packets and bytes per second.")
    var rate = false

    @Flag(help: "Show exact numbers with --stats and --rate, without the units K, M, G and T.")
    var exact = false

    @Flag(help: "Show the upper and lower connection thresholds of real servers.")
    var thresholds = false

    @Flag(help: "Show the number of persistent connections of real servers; with -c, the persistence engine data.")
    var persistentConn = false

    @Flag(help: "Show the tunnel encapsulation of real servers.")
    var tunInfo = false

    @Flag(help: "Show the idle timeouts of TCP, TCP after a FIN packet, and UDP.")
    var timeout = false

    @Flag(help: "Sort by address (the default).")
    var sort = false

    @Flag(help: "Do not sort; use the order of the kernel.")
    var nosort = false

    func validate() throws {
        if [save, zero, list].count(where: \.self) > 1 { throw ValidationError("-L, -S and -Z are mutually exclusive") }
        let columns = [("--stats", stats), ("--rate", rate), ("--thresholds", thresholds), ("--persistent-conn", persistentConn)]
        if save || zero, let (name, _) = (columns + [("--connection", connection), ("--timeout", timeout)]).first(where: \.1) {
            throw ValidationError("\(name) cannot be combined with \(save ? "-S" : "-Z")")
        }
        if connection || timeout, let (name, _) = columns.dropLast().first(where: \.1) {
            throw ValidationError("\(name) cannot be combined with \(connection ? "-c" : "--timeout")")
        }
        if services > 1 { throw ValidationError("-t, -u, --sctp-service and -f are mutually exclusive") }
        if services > 0, save || connection || timeout {
            throw ValidationError("\(save ? "-S" : connection ? "-c" : "--timeout") does not take a virtual server")
        }
        if fwmarkService == 0 { throw ValidationError("-f 0: a firewall mark must be greater than 0") }
        if ipv6, fwmarkService == nil { throw ValidationError("-6 requires -f") }
    }

    /// Whether the output is that of ipvsadm, without names.
    var printsAsIPVSAdm: Bool { numeric || save || zero || connection || timeout || tunInfo }

    private var services: Int { [tcpService != nil, udpService != nil, sctpService != nil, fwmarkService != nil].count(where: \.self) }

    /// The selected virtual server; nil for all.
    var key: IPVSService.Key? {
        if let fwmarkService { return .firewallMark(fwmarkService, ipv6 ? .ipv6 : .ipv4) }
        for (transport, location) in [(Transport.tcp, tcpService), (.udp, udpService), (.sctp, sctpService)] {
            if let location { return IPVSService.Key(VirtualServer.Identity(transport, location)) }
        }
        return nil
    }

    /// With several flags, the columns that ipvsadm uses.
    var columns: IPVSListing.Columns {
        if stats { return .statistics(isExact: exact) }
        if rate { return .rates(isExact: exact) }
        if thresholds { return .thresholds }
        if persistentConn { return .persistentConnections }
        return tunInfo ? .tunnels : .connections
    }
}
