internal import ArgumentParser
internal import KubeProxyConfiguration

/// The flags for the health and metrics servers.
struct ServerOptions: ParsableArguments {
    @Option(
        help: ArgumentHelp(
            "Primary IP of the node, which sets the primary IP family; overrides the Node object. Nothing listens on it.",
            discussion: "Default: 0.0.0.0, which uses the Node object.", valueName: "ip"))
    var bindAddress: String?

    @Option(
        help: ArgumentHelp(
            "IP address and port of the health check server (/healthz, /livez).",
            discussion: "Default: 0.0.0.0:10256. The port may be omitted.",
            valueName: "ip:port"))
    var healthzBindAddress: String?

    @Option(
        help: ArgumentHelp(
            "IP address and port of the metrics server (/metrics, /configz and others); empty to disable it.",
            discussion: "Default: 127.0.0.1:10249. The port may be omitted.", valueName: "ip:port"))
    var metricsBindAddress: String?

    @Option(help: .hidden) var healthzPort: Int32?
    @Option(help: .hidden) var metricsPort: Int32?

    @Option(help: ArgumentHelp("Exit if binding one of these addresses fails.", valueName: "bool"))
    var bindAddressHardFail: GoBool?

    @Option(help: ArgumentHelp("Serve the log level at /debug/flags/v of the metrics server. There is no /debug/pprof.", valueName: "bool"))
    var profiling: GoBool?

    @Option(help: ArgumentHelp("Show the metrics that were hidden since this version; only 1.35 is valid.", valueName: "version"))
    var showHiddenMetricsForVersion: String?

    @Option(
        help: ArgumentHelp(
            "Metrics per Service: off, service (by port and kind of address), or endpoint (also by endpoint).",
            discussion: "See docs/metrics.md for the cost.", valueName: "detail"))
    var metricsPerService = FlagValues().metricsPerService

    @Option(
        help: ArgumentHelp(
            "Maximum number of Service ports, and of endpoints, with metrics; those with the most traffic have them.", valueName: "number"))
    var metricsPerServiceLimit = FlagValues().metricsPerServiceLimit

    func put(into flags: inout FlagValues) {
        flags.bindAddress = bindAddress
        flags.healthzBindAddress = healthzBindAddress
        flags.metricsBindAddress = metricsBindAddress
        flags.healthzPort = healthzPort
        flags.metricsPort = metricsPort
        flags.bindAddressHardFail = bindAddressHardFail?.value
        flags.profiling = profiling?.value
        flags.metricsPerService = metricsPerService
        flags.metricsPerServiceLimit = metricsPerServiceLimit
        flags.showHiddenMetricsForVersion = showHiddenMetricsForVersion
    }

    /// Warnings about deprecated flags, with kube-proxy's text.
    var deprecations: [String] {
        [("healthz-port", "healthz-bind-address", healthzPort), ("metrics-port", "metrics-bind-address", metricsPort)]
            .filter { $0.2 != nil }.map { old, new, _ in
                "Flag --\(old) has been deprecated, This flag is deprecated and will be removed in a future release. Please use --\(new) instead."
            }
    }
}
