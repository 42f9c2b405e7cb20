internal import ArgumentParser
internal import KubeProxyConfiguration
internal import KernelDataplane
internal import Model
internal import Reconciler
internal import Translation

struct CleanupCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "cleanup",
        abstract: "Remove what this program (or kube-proxy in ipvs mode) made in the kernel, and nothing else.",
        discussion: """
            Virtual servers, the device kube-ipvs0, sets, chains and jumps go; kernel settings get the values back that they had before. Virtual servers \
            that somebody else made stay. Connections through the Services break.

            EXAMPLE
              kube-ipvs-proxy cleanup
            """)

    @Option(
        name: .customLong("ipvs-exclude-cidrs"), help: ArgumentHelp("Leave virtual servers in these ranges alone.", valueName: "cidr,…"))
    var ipvsExcludeCIDRs: [String] = []

    @Option(help: ArgumentHelp("Which iptables this node uses: legacy, nft or auto.", valueName: "backend"))
    var iptablesBackend = FlagValues().iptablesBackend

    @Option(help: ArgumentHelp("Where it is noted what kernel settings were before.", valueName: "directory"))
    var stateDirectory = FlagValues().stateDirectory

    @OptionGroup var logging: LoggingOptions

    func run() async throws {
        try await reportingFailure {
            var flags = FlagValues()
            flags.ipvsExcludeCIDRs = ProxyOptions.list(ipvsExcludeCIDRs)
            flags.iptablesBackend = iptablesBackend
            flags.stateDirectory = stateDirectory
            try await CleanupCommand.run(try ProxyConfiguration(flags, hostname: "any"))
        }
    }

    /// Also what `--cleanup` of kube-proxy's command line does.
    static func run(_ configuration: ProxyConfiguration) async throws {
        let failures = try await cleanUp(configuration)
        for failure in failures { print("failed: \(failure)") }
        if !failures.isEmpty { throw ExitCode.failure }
    }

    /// Returns what could not be removed.
    private static func cleanUp(_ configuration: ProxyConfiguration) async throws -> [String] {
        try KernelSetup.requirePrivilege()
        let choice = IPTables.Backend(rawValue: configuration.iptables.rawValue)
        // Names are ours in both families, whether or not iptables has a nat table for them.
        let catalogue = Translation.catalogue(configuration.translationSettings(families: Set(IPFamily.allCases), hasRandomFully: false))
        let dataplane = try KernelDataplane(catalogue: catalogue, iptables: try await IPTables.detect(choice, trying: false))

        var observed = try await dataplane.observe(.everything)
        let ownership = Ownership(
            observed: observed, localAddresses: try await dataplane.nodeAddresses(), excluded: configuration.excludeCIDRs)
        observed.virtualServers = observed.virtualServers.filter { ownership.isOurs($0.value) }
        observed.rules = [:]
        // Virtual servers first, so that nothing is served without its rules; sets last, as rules name them.
        let plan = Plan(removing: observed)
        let serving = await dataplane.apply(plan.operations.filter { $0.kind != .destroySet })
        let chains = try await IPTables.removeRules(Array(catalogue.rules.values), from: choice)
        let naming = await dataplane.apply(plan.operations.filter { $0.kind == .destroySet })
        let settings = try KernelSetup.restoreSettings(stateDirectory: configuration.stateDirectory)

        let failures = serving.failures + naming.failures
        let gone = plan.counts.merging(Plan.counts(failures.map(\.operation))) { $0 - $1 }
        print(
            "removed \(gone[.deleteVirtualServer] ?? 0) virtual servers, \(gone[.deleteDevice] == 1 ? observed.addresses.count : 0) addresses, "
                + "\(gone[.destroySet] ?? 0) sets, \(chains) chains")
        return failures.map(\.description) + settings.map(\.description)
    }
}
