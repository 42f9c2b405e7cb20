internal import KernelDataplane
internal import KubeProxyConfiguration
internal import Kubernetes
internal import Logging
internal import ServiceLifecycle
internal import StatusServer

/// The proxy from its first look at the node on, run beside the server that says how far it is.
struct ProxyService: ServiceLifecycle.Service {
    let configuration: ProxyConfiguration
    let input: ClusterInput
    let start: StartupHealth
    /// The configuration in force, for `/configz`.
    let shown: KubeProxyConfiguration
    /// For `/flagz`.
    let flags: FlagListing
    let logger: Logger

    /// Waits for as long as it takes until it is known what this node has: a restart would know no more.
    func run() async throws {
        let services: [any ServiceLifecycle.Service]
        do {
            services = try await cancelWhenGracefulShutdown {
                let probing = Probing(.endless, logger) { start.wait(for: $0?.description) }
                let assembly = try await Assembly(configuration, input, changesKernel: true, probing, logger)
                return try await assembly.services(start, showing: shown, flags: flags)
            }
        } catch is CancellationError {
            return
        }
        input.events.record(
            ClusterEvent(.normal, reason: "Starting", action: "StartKubeProxy", regarding: .node(configuration.nodeName)))
        try await ServiceGroup(services: services, logger: logger).run()
    }

    /// Answers load balancers and the kubelet while the start waits as well.
    var healthServer: StatusService? {
        configuration.healthzBindAddress.map { location in
            let routes = HealthRoutes(start)
            return StatusService(.healthz, location, configuration, events: input.events, logger) { routes.answer($0, at: .now) }
        }
    }
}
