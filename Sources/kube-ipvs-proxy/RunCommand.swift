internal import ArgumentParser
internal import KubeProxyConfiguration
internal import Kubernetes
internal import Logging
internal import NodeProxy
internal import Reconciler
internal import ServiceLifecycle
internal import UnixSignals

struct RunCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "run",
        abstract: "Keep the kernel in step with the cluster.",
        discussion: """
            When it ends, the kernel keeps what it has: connections go on, and the next start takes over.

            EXAMPLES
              kube-ipvs-proxy --kubeconfig /etc/kubernetes/kube-proxy.conf --cluster-cidr 10.244.0.0/16
              kube-ipvs-proxy --manifests deploy/examples --hostname-override node1 --cluster-cidr 10.244.0.0/16
              kube-ipvs-proxy run --manifests deploy/examples --ipvs-scheduler lc --masquerade-all
              kube-ipvs-proxy --manifests deploy/examples --once
            """)

    @OptionGroup var options: ProxyOptions

    @Option(help: ArgumentHelp("Sync once, report, and exit: 0 if everything was sound and went through, else 1.", valueName: "bool"))
    var once = GoBool(false)

    func run() async throws {
        try await reportingFailure {
            let logger = options.logging.logger()
            let assembly = try await Assembly(try options.configuration(), changesKernel: true, logger)
            try await assembly.closingInput {
                if once.value {
                    try await syncOnce(assembly)
                } else {
                    try await serve(assembly, logger)
                }
            }
        }
    }

    private func serve(_ assembly: Assembly, _ logger: Logger) async throws {
        let group = ServiceGroup(
            services: await assembly.services(), gracefulShutdownSignals: [.sigterm, .sigint], logger: logger)
        assembly.input.events.record(
            ClusterEvent(.normal, reason: "Starting", action: "StartKubeProxy", regarding: .node(assembly.configuration.nodeName)))
        try await group.run()
    }

    private func syncOnce(_ assembly: Assembly) async throws {
        let problems = try await assembly.loadOnce()
        let outcome = await assembly.synchronizer.sync()
        let counts = outcome.counts.sorted { $0.key.rawValue < $1.key.rawValue }.map { "\($0.key.rawValue) \($0.value)" }
        print("\(outcome.operations.count) operations in \(outcome.duration.wholeMilliseconds) ms, \(outcome.failures.count) failed")
        if !counts.isEmpty { print("  " + counts.joined(separator: ", ")) }
        for failure in outcome.failures { print("  failed: \(failure)") }
        if let reason = outcome.observationFailure { print("  the kernel could not be read: \(reason)") }
        if !problems.isEmpty { print("  \(problems.count) problems in the manifests, told above") }
        if !outcome.succeeded || !problems.isEmpty { throw ExitCode.failure }
    }
}
