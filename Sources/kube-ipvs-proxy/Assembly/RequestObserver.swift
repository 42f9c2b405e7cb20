internal import KubernetesAPI
internal import StatusServer

/// Counts what the client of the API server does.
struct RequestObserver: APIClientObserver {
    let metrics: RequestMetrics

    func answered(_ method: APIRequest.Method, code: Int?) { metrics.answered(method.rawValue, code: code) }
    func finished(_ method: APIRequest.Method, after duration: Duration) { metrics.finished(method.rawValue, after: duration) }
}
