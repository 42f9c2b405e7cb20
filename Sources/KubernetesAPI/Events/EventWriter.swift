internal import Kubernetes

/// Writes requests about events in the name of one proxy.
struct EventWriter {
    private let instance: String

    init(hostname: String) {
        // The API takes 128 bytes, and a hostname is ASCII.
        instance = String("kube-proxy-\(hostname)".prefix(128))
    }

    /// The request, given what clock and wall say now: what the wall said when it happened may have been wrong.
    ///
    /// - Parameter uid: the object's, without which `kubectl describe` does not show the event.
    func request(for delivery: EventDelivery, uid: String? = nil, at now: Duration, wall: MicroTime) throws -> APIRequest {
        let series = delivery.series
        let object = series.event.regarding
        let namespace = EventName.namespace(for: object)
        let name = EventName.name(for: object, id: series.id)
        let path = "/apis/events.k8s.io/v1/namespaces/\(namespace)/events"
        let count = EventJSON.Series(count: series.count, lastObservedTime: wall.before(now - series.last).text)
        switch delivery.method {
        case .create:
            let event = EventJSON(
                metadata: .init(name: name, namespace: namespace), eventTime: wall.before(now - series.first).text,
                type: series.event.type.rawValue, reason: series.event.reason, action: series.event.action,
                regarding: .init(object, uid: uid),
                note: series.event.note, reportingInstance: instance, series: series.count > 1 ? count : nil)
            return APIRequest(.post, path, body: .init(try EventJSON.bytes(event), contentType: "application/json"))
        case .patch:
            let patch = try EventJSON.bytes(EventJSON.SeriesPatch(series: count))
            return APIRequest(
                .patch, "\(path)/\(name)", body: .init(patch, contentType: "application/strategic-merge-patch+json"))
        }
    }
}
