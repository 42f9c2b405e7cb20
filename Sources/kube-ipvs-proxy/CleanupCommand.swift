internal import ArgumentParser
internal import Configuration
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
            flags.ipvsExcludeCIDRs = ipvsExcludeCIDRs.flatMap { $0.split(separator: ",").map(String.init) }
            flags.iptablesBackend = iptablesBackend
            flags.stateDirectory = stateDirectory
            let failures = try await CleanupCommand.cleanUp(try ProxyConfiguration(flags, hostname: "any"))
            for failure in failures { print("failed: \(failure)") }
            if !failures.isEmpty { throw ExitCode.failure }
        }
    }

    /// Returns what could not be removed.
    private static func cleanUp(_ configuration: ProxyConfiguration) async throws -> [String] {
        try KernelSetup.requirePrivilege()
        let iptables = try await IPTables.detect(IPTables.Backend(rawValue: configuration.iptables.rawValue))
        // Names are ours in both families, whether or not iptables has a nat table for them.
        let settings = configuration.translationSettings(families: Set(IPFamily.allCases), hasRandomFully: iptables.hasRandomFully)
        let dataplane = try KernelDataplane(catalogue: Translation.catalogue(settings), iptables: iptables)

        var observed = try await dataplane.observe(.everything)
        let ownership = Ownership(
            observed: observed, localAddresses: try await dataplane.nodeAddresses(), excluded: configuration.excludeCIDRs)
        observed.virtualServers = observed.virtualServers.filter { ownership.isOurs($0.value) }
        let plan = Plan(removing: observed)
        let report = await dataplane.apply(plan.operations)
        let settingFailures = try KernelSetup.restoreSettings(stateDirectory: configuration.stateDirectory)
        print(
            "removed \(observed.virtualServers.count) virtual servers, \(observed.addresses.count) addresses, \(observed.sets.count) sets, "
                + "\(observed.rules.values.reduce(0) { $0 + $1.chains.count }) chains")
        return report.failures.map(\.description) + settingFailures.map(\.description)
    }
}
