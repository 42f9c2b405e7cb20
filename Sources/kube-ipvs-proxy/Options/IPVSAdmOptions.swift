internal import ArgumentParser
internal import Model
internal import StatusTable

/// The flags of `ipvsadm -L`, `-S` and `-Z`, with its meaning.
struct IPVSAdmOptions: ParsableArguments {
    @Flag(name: [.customShort("L"), .customShort("l"), .customLong("list")], help: "List the table (the default).")
    var list = false

    @Flag(name: [.customShort("S"), .customLong("save")], help: "Print the table as commands that ipvsadm -R takes.")
    var save = false

    @Flag(name: [.customShort("Z"), .customLong("zero")], help: "Zero the counters of a virtual server, or of all.")
    var zero = false

    @Flag(
        name: [.customShort("n"), .customLong("numeric")],
        help: "Exactly what ipvsadm -n prints: no names, and nothing that is not in the kernel's table.")
    var numeric = false

    @Option(name: [.customShort("t"), .customLong("tcp-service")], help: ArgumentHelp("Only this virtual server.", valueName: "ip:port"))
    var tcpService: AddressPort?

    @Option(name: [.customShort("u"), .customLong("udp-service")], help: ArgumentHelp("Only this virtual server.", valueName: "ip:port"))
    var udpService: AddressPort?

    @Option(help: ArgumentHelp("Only this virtual server.", valueName: "ip:port"))
    var sctpService: AddressPort?

    @Option(
        name: [.customShort("f"), .customLong("fwmark-service")],
        help: ArgumentHelp("Only the virtual server of this firewall mark.", valueName: "mark"))
    var fwmarkService: UInt32?

    @Flag(name: [.customShort("6"), .customLong("ipv6")], help: "The firewall mark is of IPv6.")
    var ipv6 = false

    @Flag(name: [.customShort("c"), .customLong("connection")], help: "List connections.")
    var connection = false

    @Flag(help: "Connections, packets and bytes since the counters were zeroed.")
    var stats = false

    @Flag(help: "Connections, packets and bytes a second.")
    var rate = false

    @Flag(help: "Whole numbers for --stats and --rate, without K, M, G, T.")
    var exact = false

    @Flag(help: "The numbers of connections at which real servers are full, and open again.")
    var thresholds = false

    @Flag(help: "Counts of clients that are kept at a real server; with -c, what persistence engines keep.")
    var persistentConn = false

    @Flag(help: "How packets to real servers behind tunnels are wrapped.")
    var tunInfo = false

    @Flag(help: "How long connections without traffic are kept: TCP, TCP after a FIN, UDP.")
    var timeout = false

    @Flag(help: "In order of addresses (the default).")
    var sort = false

    @Flag(help: "In the kernel's order.")
    var nosort = false

    func validate() throws {
        if [save, zero, list].count(where: \.self) > 1 { throw ValidationError("-L, -S and -Z exclude each other") }
        let columns = [("--stats", stats), ("--rate", rate), ("--thresholds", thresholds), ("--persistent-conn", persistentConn)]
        if save || zero, let (name, _) = (columns + [("--connection", connection), ("--timeout", timeout)]).first(where: \.1) {
            throw ValidationError("\(name) is for lists, not for \(save ? "-S" : "-Z")")
        }
        if connection || timeout, let (name, _) = columns.dropLast().first(where: \.1) {
            throw ValidationError("\(name) is not for \(connection ? "-c" : "--timeout")")
        }
        if services > 1 { throw ValidationError("only one of -t, -u, --sctp-service and -f can be given") }
        if services > 0, save || connection || timeout {
            throw ValidationError("\(save ? "-S" : connection ? "-c" : "--timeout") does not take a virtual server")
        }
        if fwmarkService == 0 { throw ValidationError("-f 0: a firewall mark is greater than zero") }
        if ipv6, fwmarkService == nil { throw ValidationError("-6 is for -f") }
    }

    /// Whether what was asked for has no names in it.
    var speaksAsIPVSAdm: Bool { numeric || save || zero || connection || timeout || tunInfo }

    private var services: Int { [tcpService != nil, udpService != nil, sctpService != nil, fwmarkService != nil].count(where: \.self) }

    /// The one virtual server that was asked for.
    var key: IPVSService.Key? {
        if let fwmarkService { return .firewallMark(fwmarkService, ipv6 ? .ipv6 : .ipv4) }
        for (transport, location) in [(Transport.tcp, tcpService), (.udp, udpService), (.sctp, sctpService)] {
            if let location { return IPVSService.Key(VirtualServer.Identity(transport, location)) }
        }
        return nil
    }

    /// Of several the one that ipvsadm takes.
    var columns: IPVSListing.Columns {
        if stats { return .statistics(isExact: exact) }
        if rate { return .rates(isExact: exact) }
        if thresholds { return .thresholds }
        if persistentConn { return .persistentConnections }
        return tunInfo ? .tunnels : .connections
    }
}
