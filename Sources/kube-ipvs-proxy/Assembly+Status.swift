internal import Glibc
internal import KubeProxyConfiguration
internal import Logging
internal import Model
internal import ServiceLifecycle
internal import StatusServer

extension Assembly {
    /// The servers that tell others how the proxy does.
    func statusServices(_ board: StatusBoard) -> [any ServiceLifecycle.Service] {
        allowManyDescriptors()
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

    /// Each health check node port takes a descriptor or two: as many as the system lets this program have.
    private func allowManyDescriptors() {
        var limit = rlimit()
        let files = __rlimit_resource_t(RLIMIT_NOFILE.rawValue)
        guard unsafe getrlimit(files, &limit) == 0, limit.rlim_cur < limit.rlim_max else { return }
        limit.rlim_cur = limit.rlim_max
        guard unsafe setrlimit(files, &limit) != 0 else { return }
        logger.warning("The limit of open files cannot be raised", metadata: ["errno": "\(errno)"])
    }
}
