internal import ArgumentParser
internal import KubeProxyConfiguration
internal import Logging
internal import Klog

struct CleanupCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "cleanup",
        abstract: "Remove what this program (or kube-proxy in ipvs mode) made in the kernel, and nothing else.",
        discussion: """
            Virtual servers, the device kube-ipvs0, sets, chains and jumps go; kernel settings get the values back that they had before. Virtual servers \
            that somebody else made stay. What kube-proxy left in its iptables and nftables modes goes as well. Connections through the Services break.

            EXAMPLES
              kube-ipvs-proxy cleanup --dry-run
              kube-ipvs-proxy cleanup
            """)

    @Option(
        name: .customLong("ipvs-exclude-cidrs"), help: ArgumentHelp("Leave virtual servers in these ranges alone.", valueName: "cidr,…"))
    var ipvsExcludeCIDRs: [String] = []

    @Option(help: ArgumentHelp("Which iptables this node uses: legacy, nft or auto.", valueName: "backend"))
    var iptablesBackend = FlagValues().iptablesBackend

    @OptionGroup var stateDirectory: StateDirectory

    @Option(help: ArgumentHelp("Print what would be removed, as the commands it equals, and change nothing.", valueName: "bool"))
    var dryRun = GoBool(false)

    @Option(name: [.short, .long], help: "With --dry-run: print text or json.")
    var output = PlanCommand.Format.text

    @OptionGroup var logging: LoggingOptions

    func validate() throws {
        if output == .json, !dryRun.value { throw ValidationError("-o json goes with --dry-run only") }
    }

    func run() async throws {
        try await reportingFailure {
            var flags = FlagValues()
            flags.ipvsExcludeCIDRs = ProxyOptions.list(ipvsExcludeCIDRs)
            flags.iptablesBackend = iptablesBackend
            flags.stateDirectory = try stateDirectory.find()
            if stateDirectory.given == nil, flags.stateDirectory != FlagValues().stateDirectory {
                warn("A proxy runs with --state-directory \(flags.stateDirectory): kernel settings are put back as noted there.")
            }
            let configuration = try ProxyConfiguration(flags, hostname: "any")
            let logger = Logger(verbosity: logging.v ?? 0, quiet: true)
            guard dryRun.value else { return try await CleanupCommand.run(configuration, logger) }
            try list(try await Cleanup(configuration, logger))
        }
    }

    /// Also what `--cleanup` of kube-proxy's command line does.
    static func run(_ configuration: ProxyConfiguration, _ logger: Logger) async throws {
        let outcome = try await Cleanup(configuration, logger).run()
        print(outcome.summary)
        for failure in outcome.failures { print("failed: \(failure)") }
        if !outcome.failures.isEmpty { throw ExitCode.failure }
    }

    private func list(_ cleanup: Cleanup) throws {
        switch output {
        case .text: cleanup.steps.forEach { print($0.command) }
        case .json: print(try PlanDocument(operations: cleanup.steps).json)
        }
    }
}
