public import MetricsRegistry

/// Requests to the API server, under the names of Kubernetes's own client.
public final class RequestMetrics: Sendable {
    private let host: String
    private let requests = NumberMetric.counter(
        "rest_client_requests_total", "[ALPHA] Number of HTTP requests, partitioned by status code, method, and host.")
    private let duration = Histogram(
        "rest_client_request_duration_seconds", "[ALPHA] Request latency in seconds. Broken down by verb, and host.",
        bounds: [0.005, 0.025, 0.1, 0.25, 0.5, 1, 2, 4, 8, 15, 30, 60])

    /// - Parameter host: with its port, as it stands in URLs.
    public init(host: String) { self.host = host }

    public var families: [any MetricFamily] { [requests, duration] }

    /// - Parameter code: the status; nil where no answer came.
    public func answered(_ method: String, code: Int?) {
        requests.add(1, ["code": code.map { "\($0)" } ?? "<error>", "host": host, "method": method])
    }

    public func finished(_ method: String, after duration: Duration) {
        self.duration.observe(duration.inSeconds, ["host": host, "verb": method])
    }
}
