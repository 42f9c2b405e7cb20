internal import Glibc
internal import KernelDataplane
internal import Klog
internal import KubeProxyConfiguration
internal import Kubernetes
internal import KubernetesAPI
internal import Logging
internal import Model
internal import NodeProxy
internal import ServiceLifecycle
internal import StatusAPI
internal import StatusServer
internal import Traffic

extension Assembly {
    /// The servers for health checks, metrics and the status command.
    ///
    /// While another instance holds the network namespace, they leave its addresses and its socket alone.
    ///
    /// - Parameters:
    ///   - memory: gives back the memory of large responses.
    ///   - shown: the effective configuration, for `/configz`.
    ///   - flags: for `/flagz`.
    func statusServices(
        _ board: StatusBoard, _ proxy: NodeProxy, _ memory: MemoryRelease, _ successor: Successor, shown: KubeProxyConfiguration,
        flags: FlagListing
    ) async throws -> [any ServiceLifecycle.Service] {
        var services: [any ServiceLifecycle.Service] = [HealthCheckServers(board, events: input.events, logger: logger)]
        if let location = configuration.metricsBindAddress {
            var content = MetricsRoutes.Content(version: programVersion, emulates: "1.36")
            content.configuration = "{\"kubeproxy.config.k8s.io\":\(shown.json)}"
            content.flags = flags
            content.featureGates = ["AllowServiceExternalIPs": configuration.featureGates.allowsServiceExternalIPs]
            if configuration.enableProfiling { content.setVerbosity = { Verbosity.set($0) } }
            let routes = MetricsRoutes(board.metrics, more: input.metrics, content, start: .now)
            let traffic = try await trafficReader(proxy)
            await traffic?.begin()
            let service = StatusService(.metrics, location, configuration, events: input.events, successor, logger) { request in
                guard let traffic, MetricsRoutes.includesTraffic(request) else {
                    return memory.requestRelease(ifLarge: routes.answer(request, at: .now))
                }
                return memory.requestRelease(ifLarge: routes.answer(request, at: .now, traffic: await traffic.families()))
            }
            services.append(GatedService(service, after: successor.isFirst))
        }
        return services + [GatedService(statusSocket(StatusQueries(proxy), memory), after: successor.isFirst)]
    }

    /// The socket of the status command.
    private func statusSocket(_ queries: StatusQueries, _ memory: MemoryRelease) -> StatusService {
        let directory = configuration.stateDirectory
        if unsafe mkdir(directory, 0o755) != 0, errno != EEXIST {
            logger.warning(
                "Failed to create state directory; status command will show no Service names",
                metadata: ["directory": "\(directory)", "errno": "\(errno)"])
        }
        let routes = SocketRoutes(report: { await queries.report($0) }, differences: { try await queries.differences() })
        return StatusService(
            .status, at: ListenAddress(.socket(path: "\(directory)/\(ProxyReport.socketName)"), port: 0), hardFail: false,
            node: configuration.nodeName, events: input.events, logger: logger
        ) { memory.requestRelease(ifLarge: await routes.answer($0)) }
    }

    /// Nil if metrics per Service are off.
    private func trafficReader(_ proxy: NodeProxy) async throws -> TrafficReader? {
        let detail: ServiceTraffic.Detail
        switch configuration.metricsPerService {
        case .off: return nil
        case .service: detail = .service
        case .endpoint: detail = .endpoint
        }
        return TrafficReader(
            try await probing.run("IPVS") { try IPVSTraffic() },
            ServiceTraffic(detail, limit: configuration.metricsPerServiceLimit), logger: logger
        ) { await proxy.desiredVirtualServers }
    }
}

extension StatusService {
    init(
        _ kind: StatusServerKind, _ location: AddressPort, _ configuration: ProxyConfiguration, events: any EventRecorder,
        _ successor: Successor, _ logger: Logger, answer: @escaping @Sendable (StatusRequest) async -> StatusResponse
    ) {
        self.init(
            kind, at: ListenAddress(location), hardFail: configuration.bindAddressHardFail, node: configuration.nodeName, events: events,
            isStandby: { !successor.isServing.isOpen }, logger: logger, answer: answer)
    }
}

/// Counts the requests of the API server client.
struct RequestObserver: APIClientObserver {
    let metrics: RequestMetrics

    func answered(_ method: APIRequest.Method, code: Int?) { metrics.answered(method.rawValue, code: code) }
    func finished(_ method: APIRequest.Method, after duration: Duration) { metrics.finished(method.rawValue, after: duration) }
}
