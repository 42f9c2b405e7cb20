internal import ArgumentParser
internal import FoundationEssentials
internal import KernelDataplane
internal import KubeProxyConfiguration
internal import Kubernetes
internal import Logging
internal import NodeProxy
internal import Reconciler
internal import ServiceLifecycle
internal import StatusServer
internal import SyncLoop
internal import SystemCalls
internal import UnixSignals

struct RunCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "run",
        abstract: "Run the proxy: keep the kernel in sync with the cluster.",
        discussion: """
            When the proxy stops, the kernel state stays: connections continue, and the next start resumes from it.

            EXAMPLES
              kube-ipvs-proxy --kubeconfig /etc/kubernetes/kube-proxy.conf --cluster-cidr 10.244.0.0/16
              kube-ipvs-proxy --manifests deploy/examples --hostname-override node1 --cluster-cidr 10.244.0.0/16
              kube-ipvs-proxy run --manifests deploy/examples --ipvs-scheduler lc --masquerade-all
              kube-ipvs-proxy --manifests deploy/examples --once
              kube-ipvs-proxy --config /var/lib/kube-proxy/config.conf
            """)

    @OptionGroup var options: ProxyOptions

    @Option(
        help: ArgumentHelp(
            "Sync once, print a report and exit: with 0 if the input is valid and all operations succeeded, else with 1.", valueName: "bool"
        ))
    var once = GoBool(false)

    @Option(
        help: ArgumentHelp("Write the effective configuration (of flags and configuration file) to this file and exit.", valueName: "file"))
    var writeConfigTo = ""

    @Option(
        help: ArgumentHelp(
            "Do the initialization that needs full root privileges and exit; then CAP_NET_ADMIN and CAP_NET_RAW are sufficient.",
            valueName: "bool"))
    var initOnly = GoBool(false)

    @Option(help: ArgumentHelp("Run the cleanup command and exit.", valueName: "bool"))
    var cleanup = GoBool(false)

    func run() async throws {
        Allocator.limitFreeMemory()
        // The log's reader may be gone.
        BrokenPipe.isAnError()
        try await reportingFailure {
            let start = try options.start(isForWriting: !writeConfigTo.isEmpty)
            if !writeConfigTo.isEmpty { return try write(start) }
            if cleanup.value { return try await CleanupCommand.run(start.proxy, start.logger) }
            guard once.value || initOnly.value else { return try await serve(start) }
            // Not for --init-only, which prepares the kernel for a standby while another instance serves.
            if once.value, !initOnly.value { try await Successor.holdNamespace(for: "--once", start.logger) }
            let assembly = try await Assembly(start.proxy, .serving, start.logger)
            try await assembly.input.closing {
                if initOnly.value {
                    try KernelSetup.loadSchedulers()
                    start.logger.info("Initialized kernel modules and settings")
                } else {
                    try await syncOnce(assembly)
                }
            }
        }
    }

    private func write(_ start: StartConfiguration) throws {
        let text = try start.effective.yaml
        do {
            try Data(text.utf8).write(to: URL(filePath: writeConfigTo))
        } catch {
            throw ConfigurationError(
                problems: [.init(flag: "--write-config-to", value: writeConfigTo, message: "failed to write: \(error)")])
        }
        start.logger.info("Wrote configuration", metadata: ["file": "\(writeConfigTo)"])
    }

    private func serve(_ start: StartConfiguration) async throws {
        ProcessName.set()
        let input = try await ClusterInput(start.proxy, environment: ProcessInfo.processInfo.environment, start.logger)
        let proxy = ProxyService(
            configuration: start.proxy, input: input, start: StartupHealth(expectsNode: input.hasNode),
            successor: Successor(nodeName: start.proxy.nodeName, events: input.events, start.logger), shown: start.effective,
            flags: listing, logger: start.logger)
        let watches = start.file.map { [ConfigurationWatch(file: $0)] } ?? []
        let servers: [any ServiceLifecycle.Service] = [proxy.healthServer].compactMap(\.self)
        try await input.closing {
            let group = ServiceGroup(
                services: servers + [proxy] + watches, gracefulShutdownSignals: [.sigterm, .sigint], logger: start.logger)
            try await group.run()
        }
    }

    private func syncOnce(_ assembly: Assembly) async throws {
        let proxy = assembly.proxy()
        let problems = try await assembly.loadOnce(into: proxy)
        let outcome = try await proxy.syncOnce()
        let counts = outcome.counts.sorted { $0.key.rawValue < $1.key.rawValue }.map { "\($0.key.rawValue) \($0.value)" }
        print("\(outcome.operations.count) operations in \(outcome.duration.wholeMilliseconds) ms, \(outcome.failures.count) failed")
        if !counts.isEmpty { print("  " + counts.joined(separator: ", ")) }
        for failure in outcome.failures { print("  failed: \(failure)") }
        for failure in outcome.observationFailures { print("  failed to read kernel state: \(failure)") }
        if !problems.isEmpty { print("  \(problems.count) problems in the manifests, reported above") }
        if !outcome.succeeded || !problems.isEmpty { throw ExitCode.failure }
    }
}
