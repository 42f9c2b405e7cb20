internal import ArgumentParser
internal import KubeProxyConfiguration

/// The flags about health, metrics and what else is served.
struct ServerOptions: ParsableArguments {
    @Option(
        help: ArgumentHelp(
            "The node's primary address, and with it the primary family, instead of the Node object's. Nothing listens on it.",
            discussion: "Default: 0.0.0.0, which leaves it to the Node object.", valueName: "ip"))
    var bindAddress: String?

    @Option(
        help: ArgumentHelp(
            "Where /healthz and /livez are served.", discussion: "Default: 0.0.0.0:10256; a port that is missing is 10256.",
            valueName: "ip:port"))
    var healthzBindAddress: String?

    @Option(
        help: ArgumentHelp(
            "Where /metrics and /configz are served; empty for nowhere.",
            discussion: "Default: 127.0.0.1:10249; a port that is missing is 10249.", valueName: "ip:port"))
    var metricsBindAddress: String?

    @Option(help: .hidden) var healthzPort: Int32?
    @Option(help: .hidden) var metricsPort: Int32?

    @Option(help: ArgumentHelp("End the program if one of these addresses cannot be listened on.", valueName: "bool"))
    var bindAddressHardFail: GoBool?

    @Option(help: ArgumentHelp("Serve /debug/pprof with the metrics.", valueName: "bool"))
    var profiling: GoBool?

    @Option(help: ArgumentHelp("Show metrics that were hidden after this version: 1.35.", valueName: "version"))
    var showHiddenMetricsForVersion: String?

    @Option(
        help: ArgumentHelp(
            "What /metrics says of each Service: off, service (by port and kind of address), or endpoint as well.",
            discussion: "docs/metrics.md says what it costs.", valueName: "detail"))
    var metricsPerService = FlagValues().metricsPerService

    @Option(
        help: ArgumentHelp("How many ports of Services, and how many endpoints, have series: those that carry most.", valueName: "number"))
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

    /// What to tell of flags that will go, as kube-proxy does.
    var deprecations: [String] {
        [("healthz-port", "healthz-bind-address", healthzPort), ("metrics-port", "metrics-bind-address", metricsPort)]
            .filter { $0.2 != nil }.map { old, new, _ in
                "Flag --\(old) has been deprecated, This flag is deprecated and will be removed in a future release. Please use --\(new) instead."
            }
    }
}
