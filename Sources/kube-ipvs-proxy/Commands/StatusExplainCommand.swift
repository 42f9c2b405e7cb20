internal import ArgumentParser
internal import KernelDataplane
internal import KubeProxyConfiguration
internal import Logging
internal import Model
internal import Reconciler
internal import StatusAPI
internal import StatusTable
internal import Translation
internal import Klog

struct StatusExplainCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "explain",
        abstract: "Show the path of a packet to a Service, and what blocks it.",
        discussion: """
            Shows the rules that the packet passes, with the ipsets they match; the address; the virtual server and its real servers. Exits with 1 if \
            something blocks the packet. Rules that also depend on the source of the packet are marked with a comment.

            EXAMPLES
              kube-ipvs-proxy status explain 10.96.0.10:53
              kube-ipvs-proxy status explain '[fd00:96::10]:53/UDP'
              kube-ipvs-proxy status explain kube-system/kube-dns
              kube-ipvs-proxy status explain web:http
            """)

    @Argument(
        help:
            "Address and port, optionally with /TCP, /UDP or /SCTP; or a Service as namespace/name:port, with the name of the port (namespace and port are optional)."
    )
    var what: String

    @Option(
        help: ArgumentHelp(
            "The packet filter of this node: iptables, nftables or auto, which selects the one with rules of the proxy.",
            valueName: "filter"))
    var packetFilter: String?

    @Option(help: ArgumentHelp("The iptables backend of this node: legacy, nft or auto.", valueName: "backend"))
    var iptablesBackend = FlagValues().iptablesBackend

    @OptionGroup var stateDirectory: StateDirectory

    func run() async throws {
        try await reportingFailure {
            try KernelSetup.requirePrivilege()
            let report = await report()
            let destinations = try destinations(report)
            let (dataplane, filter, catalogue) = try await kernel()
            let rules = try filter.rules(catalogue)
            let elsewhere = try await dataplane.nodeAddresses().all
            let sets = Dictionary(catalogue.sets.keys.map { ($0, Set<AddressSet.Member>()) }) { first, _ in first
            }
            var isBlocked = false
            for destination in destinations {
                let scope = Scope.Selection(
                    virtualServers: [destination], addresses: [destination.location.address], members: sets)
                var state = try await dataplane.observe(.only(scope))
                state.rules[destination.family] = try await rules.observe(destination.family).rules
                let explanation = Explanation(
                    destination, kernel: state,
                    known: report?.virtualServers.first { $0.identity == destination }, proxyAnswered: report != nil,
                    isHeldElsewhere: elsewhere.contains(destination.location.address)
                ) { filter.text($1, in: $0, destination.family, catalogue) }
                print(explanation.lines.joined(separator: "\n"))
                if destination != destinations.last { print() }
                isBlocked = isBlocked || !explanation.obstacles.isEmpty
            }
            if isBlocked { throw ExitCode.failure }
        }
    }

    private func report() async -> ProxyReport? {
        do {
            return try await ProxySocket(stateDirectory: stateDirectory.find()).report()
        } catch {
            warn("\(error)\nShowing kernel state only.")
            return nil
        }
    }

    /// The proxy owns its names in both families, even if iptables has no nat table for one.
    private var settings: TranslationSettings {
        get throws {
            try ProxyConfiguration(FlagValues(), hostname: "any")
                .translationSettings(families: Set(IPFamily.allCases), hasRandomFully: false)
        }
    }

    private func kernel() async throws -> (KernelDataplane, NodePacketFilter, NodeState) {
        try await Probing(.ofCommands, Logger(verbosity: 0, quiet: true)).run("packet filter") {
            let filter = try await NodePacketFilter.detect(
                try choice(), backend: IPTables.Backend(rawValue: iptablesBackend), families: Set(IPFamily.allCases), testingRules: false)
            var settings = try settings
            settings.packetFilter = filter.kind
            let catalogue = Translation.catalogue(settings)
            return (try KernelDataplane(catalogue: catalogue, packetFilter: filter.kind), filter, catalogue)
        }
    }

    /// The packet filter that the option selects; nil for the one with rules of the proxy.
    private func choice() throws -> PacketFilterKind? {
        guard let packetFilter, packetFilter != "auto" else { return nil }
        guard let kind = PacketFilterKind(rawValue: packetFilter) else {
            throw ValidationError("--packet-filter: must be auto, iptables or nftables, not \"\(packetFilter)\"")
        }
        return kind
    }

    // MARK: Destinations

    private func destinations(_ report: ProxyReport?) throws -> [VirtualServer.Identity] {
        let parts = what.split(separator: "/", maxSplits: 1, omittingEmptySubsequences: false).map(String.init)
        if let location = AddressPort(argument: parts[0]) {
            guard parts.count > 1 else { return try known(location, report) }
            guard let transport = Transport(rawValue: parts[1].uppercased()) else {
                throw Unknown(what: what, reason: "unknown protocol \(parts[1]): must be TCP, UDP or SCTP")
            }
            return [VirtualServer.Identity(transport, location)]
        }
        guard let report else { throw Unknown(what: what, reason: "names require a running proxy: specify an address and port instead") }
        let found = report.virtualServers.filter { server in
            let names = [server.servicePort, "\(server.namespace)/\(server.service)"]
            return names.contains(what) || server.namespace == "default" && names.contains("default/\(what)")
        }.compactMap(\.identity)
        guard !found.isEmpty else {
            throw Unknown(what: what, reason: "the proxy serves no Service of this name: kube-ipvs-proxy status lists all of them")
        }
        return found
    }

    /// The location with each of its protocols; with TCP if it has none.
    private func known(_ location: AddressPort, _ report: ProxyReport?) throws -> [VirtualServer.Identity] {
        let all = Transport.allCases.map { VirtualServer.Identity($0, location) }
        let ipvs = try IPVSClient()
        let desired = Set(report?.virtualServers.compactMap(\.identity) ?? [])
        var found: [VirtualServer.Identity] = []
        for identity in all where try desired.contains(identity) || ipvs.service(IPVSService.Key(identity)) != nil {
            found.append(identity)
        }
        return found.isEmpty ? [VirtualServer.Identity(.tcp, location)] : found
    }

    struct Unknown: Error, CustomStringConvertible {
        var what: String
        var reason: String
        var description: String { "\(what): \(reason)" }
    }
}
