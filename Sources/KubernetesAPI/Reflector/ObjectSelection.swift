/// The selectors of the objects to follow; the server applies them.
public struct ObjectSelection: Hashable, Sendable {
    /// `labelSelector`
    public var labels: String?
    /// `fieldSelector`
    public var fields: String?
    /// Whether the field selector only saves traffic: the same objects are filtered out locally.
    public var canOmitFields: Bool

    public init(labels: String? = nil, fields: String? = nil, canOmitFields: Bool = false) {
        self.labels = labels
        self.fields = fields
        self.canOmitFields = canOmitFields
    }

    /// Services that are not headless and not handled by another proxy, as kube-proxy selects them. API servers before 1.31 reject the
    /// field `spec.clusterIP` (kubernetes PR 123905).
    public static let services = ObjectSelection(
        labels: "!service.kubernetes.io/service-proxy-name", fields: "spec.clusterIP!=None", canOmitFields: true)
    /// EndpointSlices of Services that are not headless.
    public static let endpointSlices = ObjectSelection(labels: "!service.kubernetes.io/headless")

    /// A single object by name.
    public static func named(_ name: String) -> ObjectSelection { ObjectSelection(fields: "metadata.name=\(name)") }

    /// All objects except one.
    public static func others(than name: String) -> ObjectSelection { ObjectSelection(fields: "metadata.name!=\(name)") }

    /// The same selection without the field selector.
    var withoutFields: ObjectSelection { ObjectSelection(labels: labels) }

    /// Returns the request for a step; nil for a wait.
    func request(_ step: ReflectorStep, of resource: APIResource) -> APIRequest? {
        var query: [APIRequest.Parameter] = []
        if let labels { query.append(.init("labelSelector", labels)) }
        if let fields { query.append(.init("fieldSelector", fields)) }
        switch step {
        case .wait: return nil
        case .page(let version, let limit, let token):
            if let limit { query.append(.init("limit", "\(limit)")) }
            if let version { query.append(.init("resourceVersion", version)) }
            if let token { query.append(.init("continue", token)) }
        case .streamList(let seconds):
            query += ObjectSelection.watch(seconds)
            query += [.init("sendInitialEvents", "true"), .init("resourceVersionMatch", "NotOlderThan")]
        case .watch(let version, let seconds):
            query += ObjectSelection.watch(seconds)
            query.append(.init("resourceVersion", version))
        }
        return APIRequest(.get, resource.listPath, query: query)
    }

    private static func watch(_ seconds: Int) -> [APIRequest.Parameter] {
        [.init("watch", "true"), .init("allowWatchBookmarks", "true"), .init("timeoutSeconds", "\(seconds)")]
    }
}
