/// Which objects of a resource are followed; what is left out never leaves the server.
public struct ObjectSelection: Hashable, Sendable {
    /// `labelSelector`
    public var labels: String?
    /// `fieldSelector`
    public var fields: String?
    /// Whether the fields only save traffic: what they leave out is left out here as well.
    public var canOmitFields: Bool

    public init(labels: String? = nil, fields: String? = nil, canOmitFields: Bool = false) {
        self.labels = labels
        self.fields = fields
        self.canOmitFields = canOmitFields
    }

    /// Services that no other proxy takes care of and that are not headless, as kube-proxy asks for them. API servers before 1.31 refuse the field
    /// `spec.clusterIP` (kubernetes PR 123905).
    public static let services = ObjectSelection(
        labels: "!service.kubernetes.io/service-proxy-name", fields: "spec.clusterIP!=None", canOmitFields: true)
    /// The slices of Services that are not headless.
    public static let endpointSlices = ObjectSelection(labels: "!service.kubernetes.io/headless")

    /// One object by its name.
    public static func named(_ name: String) -> ObjectSelection { ObjectSelection(fields: "metadata.name=\(name)") }

    /// All objects but one.
    public static func others(than name: String) -> ObjectSelection { ObjectSelection(fields: "metadata.name!=\(name)") }

    /// The same without the fields.
    var withoutFields: ObjectSelection { ObjectSelection(labels: labels) }

    /// The request of a step; nil for a wait.
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
