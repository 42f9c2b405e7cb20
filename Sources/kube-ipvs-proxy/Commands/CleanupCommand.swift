internal import ArgumentParser
internal import KubeProxyConfiguration
internal import Logging
internal import Klog

struct CleanupCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "cleanup",
        abstract: "Remove the kernel state of this program or kube-proxy, and nothing else.",
        discussion: """
            Removes virtual servers, the device kube-ipvs0, ipsets, iptables chains and jumps, the nftables tables kube-ipvs-proxy, and the rules \
            that kube-proxy left in its iptables and nftables modes; restores kernel settings. Keeps the virtual servers of other programs. \
            Breaks the connections through Services.

            EXAMPLES
              kube-ipvs-proxy cleanup --dry-run
              kube-ipvs-proxy cleanup
            """)

    @Option(
        name: .customLong("ipvs-exclude-cidrs"), help: ArgumentHelp("Do not remove virtual servers in these ranges.", valueName: "cidr,…"))
    var ipvsExcludeCIDRs: [String] = []

    @Option(help: ArgumentHelp("Accepted and ignored: rules are removed from both iptables backends.", valueName: "backend"))
    var iptablesBackend = FlagValues().iptablesBackend

    @Option(help: ArgumentHelp("Accepted and ignored: the state of both packet filters is removed.", valueName: "filter"))
    var packetFilter = ""

    @OptionGroup var stateDirectory: StateDirectory

    @Option(help: ArgumentHelp("Print the changes as equivalent commands, without applying them.", valueName: "bool"))
    var dryRun = GoBool(false)

    @Option(name: [.short, .long], help: "Output format of --dry-run: text or json.")
    var output = PlanCommand.Format.text

    @OptionGroup var logging: LoggingOptions

    func validate() throws {
        if output == .json, !dryRun.value { throw ValidationError("-o json requires --dry-run") }
    }

    func run() async throws {
        try await reportingFailure {
            var flags = FlagValues()
            flags.ipvsExcludeCIDRs = ProxyOptions.list(ipvsExcludeCIDRs)
            flags.iptablesBackend = iptablesBackend
            flags.stateDirectory = try stateDirectory.find()
            if stateDirectory.given == nil, flags.stateDirectory != FlagValues().stateDirectory {
                warn(
                    "A proxy runs with --state-directory \(flags.stateDirectory): kernel settings are restored from the values saved there."
                )
            }
            let configuration = try ProxyConfiguration(flags, hostname: "any")
            let logger = Logger(verbosity: logging.v ?? 0, quiet: true)
            guard dryRun.value else { return try await CleanupCommand.run(configuration, logger) }
            try list(try await Cleanup(configuration, logger), logger)
        }
    }

    /// Also implements kube-proxy's flag `--cleanup`.
    static func run(_ configuration: ProxyConfiguration, _ logger: Logger) async throws {
        try await Successor.holdNamespace(for: "cleanup", logger)
        let outcome = try await Cleanup(configuration, logger).run()
        print(outcome.summary)
        for failure in outcome.failures { print("failed: \(failure)") }
        if !outcome.failures.isEmpty { throw ExitCode.failure }
    }

    private func list(_ cleanup: Cleanup, _ logger: Logger) throws {
        switch output {
        case .text: cleanup.steps.forEach { print($0.command) }
        case .json: print(try PlanDocument(operations: cleanup.steps).json)
        }
        for error in cleanup.unread { logger.error("Failed to read rules of a backend", metadata: ["error": "\(error)"]) }
        if !cleanup.unread.isEmpty { throw ExitCode.failure }
    }
}
