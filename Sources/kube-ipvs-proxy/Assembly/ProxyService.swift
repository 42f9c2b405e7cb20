internal import KernelDataplane
internal import KubeProxyConfiguration
internal import Kubernetes
internal import Logging
internal import Model
internal import ServiceLifecycle
internal import StatusServer

/// The proxy including its startup, run in parallel with the health server, which reports its progress.
struct ProxyService: ServiceLifecycle.Service {
    let configuration: ProxyConfiguration
    let input: ClusterInput
    let start: StartupHealth
    let successor: Successor
    /// The effective configuration, for `/configz`.
    let shown: KubeProxyConfiguration
    /// For `/flagz`.
    let flags: FlagListing
    let logger: Logger

    /// Nothing in the kernel is changed before this instance holds the network namespace, and while a kube-proxy runs in it: until then, it
    /// is a standby. Waits for the probes of this node without a time limit: a restart would not help.
    func run() async throws {
        let services: [any ServiceLifecycle.Service]
        do {
            services = try await cancelWhenGracefulShutdown {
                let probing = Probing(.endless, logger) { start.wait(for: $0?.description) }
                let mayServe = await successor.begin()
                if mayServe { successor.isServing.open() }
                let assembly = try await Assembly(configuration, input, mayServe ? .serving : .probing, probing, logger)
                for (family, reason) in assembly.unservedFamilies {
                    input.events.record(
                        ClusterEvent(
                            .warning, reason: "FamilyNotServed", action: "StartKubeProxy", regarding: .node(configuration.nodeName),
                            note: "Not serving \(family.rawValue): \(reason). Then restart the proxy."))
                }
                return try await assembly.services(start, successor, showing: shown, flags: flags)
            }
        } catch is CancellationError {
            return
        }
        input.events.record(
            ClusterEvent(.normal, reason: "Starting", action: "StartKubeProxy", regarding: .node(configuration.nodeName)))
        try await ServiceGroup(services: services, logger: logger).run()
    }

    /// The health server, which also responds to load balancers and the kubelet during startup.
    ///
    /// While another instance holds the network namespace, that one responds.
    var healthServer: (any ServiceLifecycle.Service)? {
        configuration.healthzBindAddress.map { location in
            let routes = HealthRoutes(start)
            let service = StatusService(.healthz, location, configuration, events: input.events, successor, logger) {
                routes.answer($0, at: .now)
            }
            return GatedService(service, after: successor.isFirst)
        }
    }
}
