/// Which objects of a resource are followed; what is left out never leaves the server.
public struct Selection: Hashable, Sendable {
    /// `labelSelector`
    public var labels: String?
    /// `fieldSelector`
    public var fields: String?

    public init(labels: String? = nil, fields: String? = nil) {
        self.labels = labels
        self.fields = fields
    }

    /// Services that no other proxy takes care of and that are not headless, as kube-proxy asks for them.
    public static let services = Selection(labels: "!service.kubernetes.io/service-proxy-name", fields: "spec.clusterIP!=None")
    /// The slices of Services that are not headless.
    public static let endpointSlices = Selection(labels: "!service.kubernetes.io/headless")

    /// One object by its name.
    public static func named(_ name: String) -> Selection { Selection(fields: "metadata.name=\(name)") }

    /// The request of a step that is one.
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
            query += Selection.watch(seconds)
            query += [.init("sendInitialEvents", "true"), .init("resourceVersionMatch", "NotOlderThan")]
        case .watch(let version, let seconds):
            query += Selection.watch(seconds)
            query.append(.init("resourceVersion", version))
        }
        return APIRequest(.get, resource.listPath, query: query)
    }

    private static func watch(_ seconds: Int) -> [APIRequest.Parameter] {
        [.init("watch", "true"), .init("allowWatchBookmarks", "true"), .init("timeoutSeconds", "\(seconds)")]
    }
}
