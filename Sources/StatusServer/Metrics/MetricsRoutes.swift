public import MetricsRegistry
internal import Text

/// The routes at the metrics address.
public struct MetricsRoutes: Sendable {
    /// The content of the routes.
    public struct Content: Sendable {
        /// The program's version.
        public var version: String
        /// The emulated version of Kubernetes, such as 1.36.
        public var emulates: String
        /// The effective configuration as JSON; nil if unknown.
        public var configuration: String?
        /// Flags and their values; nil if unknown.
        public var flags: [String: String]?
        /// The feature gates that have an effect here.
        public var featureGates: [String: Bool] = [:]
        /// Sets the log verbosity; nil without `--profiling`.
        public var setVerbosity: (@Sendable (Int) -> Void)?

        public init(version: String, emulates: String) {
            self.version = version
            self.emulates = emulates
        }
    }

    private let metrics: ProxyMetrics
    private let more: [any MetricFamily]
    private let content: Content
    private let start: Moment

    /// - Parameter more: Metrics of other parts of the program.
    public init(_ metrics: ProxyMetrics, more: [any MetricFamily] = [], _ content: Content, start: Moment) {
        self.metrics = metrics
        self.more = more
        self.content = content
        self.start = start
    }

    /// - Parameter traffic: The traffic metrics of Services, for `/metrics`.
    public func answer(_ request: StatusRequest, at now: Moment, traffic: [any MetricFamily] = []) -> StatusResponse {
        let process = ProcessMetrics(start: start.wall)
        switch request.path {
        case "/metrics": return exposition(metrics.all + more + traffic + process.families + [build, features])
        case "/metrics/slis": return exposition([process.startTime])
        case "/healthz":
            return .text(request.parameters["verbose"] != nil ? "[+]ping ok\nhealthz check passed\n" : "ok")
        case "/healthz/ping": return .text("ok")
        case "/proxyMode": return .text("ipvs")
        case "/statusz": return StatusPage(content, paths: paths, start: start, now: now).response(accept: request.accept)
        case "/configz": return content.configuration.map { .json($0) } ?? .notFound
        case "/flagz": return content.flags.map { FlagsPage(flags: $0).response(accept: request.accept) } ?? .notFound
        case "/debug/flags/v": return content.setVerbosity.map { MetricsRoutes.setVerbosity(request, $0) } ?? .notFound
        default: return .notFound
        }
    }

    /// Whether the response includes the traffic metrics of Services.
    public static func includesTraffic(_ request: StatusRequest) -> Bool { request.path == "/metrics" }

    private var paths: [String] {
        (content.configuration == nil ? [] : ["/configz"]) + (content.flags == nil ? [] : ["/flagz"]) + [
            "/healthz", "/metrics", "/proxyMode",
        ]
    }

    private var build: NumberMetric {
        let build = NumberMetric.gauge("kube_ipvs_proxy_build_info", "A metric with a constant value of 1, labeled by version")
        build.set(1, ["version": content.version])
        return build
    }

    private var features: NumberMetric {
        let features = NumberMetric.gauge(
            "kubernetes_feature_enabled", "[BETA] This metric records the data about the stage and enablement of a k8s feature.")
        for (name, isEnabled) in content.featureGates { features.set(isEnabled ? 1 : 0, ["name": name, "stage": ""]) }
        return features
    }

    private func exposition(_ families: [any MetricFamily]) -> StatusResponse {
        StatusResponse(
            status: 200,
            headers: [
                .init("Content-Type", MetricText.contentType), .init("Process-Start-Time-Unix", "\(start.wall.seconds)"),
            ], body: MetricText.exposition(families))
    }

    /// Responds like klog's handler, to `PUT` of a number only.
    static func setVerbosity(_ request: StatusRequest, _ set: @Sendable (Int) -> Void) -> StatusResponse {
        func plain(_ status: Int, _ body: String) -> StatusResponse { .of(status, type: "text/plain", body) }
        guard request.method == "PUT" else { return plain(406, "unsupported http method\n") }
        guard let level = Int(request.body), (0...Int(Int32.max)).contains(level) else {
            return plain(400, "error setting klog.logging.verbosity: must be a number\n")
        }
        set(level)
        return plain(200, "successfully set klog.logging.verbosity to \(level)\n")
    }
}

/// Metrics of requests to the API server, with the names of client-go.
public final class RequestMetrics: Sendable {
    private let host: String
    private let requests = NumberMetric.counter(
        "rest_client_requests_total", "[ALPHA] Number of HTTP requests, partitioned by status code, method, and host.")
    private let duration = Histogram(
        "rest_client_request_duration_seconds", "[ALPHA] Request latency in seconds. Broken down by verb, and host.",
        bounds: [0.005, 0.025, 0.1, 0.25, 0.5, 1, 2, 4, 8, 15, 30, 60])

    /// - Parameter host: The host and port, as in URLs.
    public init(host: String) { self.host = host }

    public var families: [any MetricFamily] { [requests, duration] }

    /// - Parameter code: The status; nil if there was no response.
    public func answered(_ method: String, code: Int?) {
        requests.add(1, ["code": code.map { "\($0)" } ?? "<error>", "host": host, "method": method])
    }

    public func finished(_ method: String, after duration: Duration) {
        self.duration.observe(duration.inSeconds, ["host": host, "verb": method])
    }
}
