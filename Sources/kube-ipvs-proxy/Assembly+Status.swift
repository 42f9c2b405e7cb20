internal import KubeProxyConfiguration
internal import Logging
internal import Model
internal import ServiceLifecycle
internal import StatusServer

extension Assembly {
    /// The servers that tell others how the proxy does.
    func statusServices(_ board: StatusBoard) -> [any ServiceLifecycle.Service] {
        var services: [any ServiceLifecycle.Service] = [HealthCheckServers(board, events: input.events, logger: logger)]
        if let location = configuration.healthzBindAddress {
            let routes = HealthRoutes(board)
            services.append(server(.healthz, location) { routes.answer($0, at: .now) })
        }
        if let location = configuration.metricsBindAddress {
            var content = MetricsRoutes.Content(version: programVersion, emulates: "1.36")
            if configuration.enableProfiling { content.setVerbosity = { Verbosity.set($0) } }
            let routes = MetricsRoutes(board.metrics, content, start: .now)
            services.append(server(.metrics, location) { routes.answer($0, at: .now) })
        }
        return services
    }

    private func server(
        _ kind: StatusService.Kind, _ location: AddressPort, answer: @escaping @Sendable (StatusRequest) async -> StatusResponse
    ) -> StatusService {
        StatusService(
            kind, at: ListenAddress(location), hardFail: configuration.bindAddressHardFail, node: configuration.nodeName,
            events: input.events, logger: logger, answer: answer)
    }
}
