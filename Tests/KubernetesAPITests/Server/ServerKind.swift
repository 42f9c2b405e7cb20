/// What objects of a resource are called in JSON.
struct ServerKind: Sendable {
    var apiVersion: String
    var kind: String

    init(plural: String) {
        (apiVersion, kind) =
            switch plural {
            case "services": ("v1", "Service")
            case "endpointslices": ("discovery.k8s.io/v1", "EndpointSlice")
            case "nodes": ("v1", "Node")
            default: ("networking.k8s.io/v1", "ServiceCIDR")
            }
    }

    /// A whole answer to a request for a list; its items do not say what they are.
    func list(_ items: some Sequence<String>, version: Int, continueToken: String? = nil) -> String {
        let token = continueToken.map { ",\"continue\":\"\($0)\"" } ?? ""
        let metadata = "{\"resourceVersion\":\"\(version)\"\(token)}"
        return
            "{\"kind\":\"\(kind)List\",\"apiVersion\":\"\(apiVersion)\",\"metadata\":\(metadata),\"items\":[\(items.joined(separator: ","))]}"
    }

    /// An event of a watch; its object says what it is.
    func event(_ type: ServerStore.EventType, _ json: String) -> String {
        "{\"type\":\"\(type.rawValue)\",\"object\":{\"kind\":\"\(kind)\",\"apiVersion\":\"\(apiVersion)\",\(json.dropFirst())}\n"
    }

    func bookmark(_ version: Int, isInitialEventsEnd: Bool = false) -> String {
        let annotations = isInitialEventsEnd ? ",\"annotations\":{\"k8s.io/initial-events-end\":\"true\"}" : ""
        let metadata = "{\"resourceVersion\":\"\(version)\"\(annotations)}"
        return "{\"type\":\"BOOKMARK\",\"object\":{\"kind\":\"\(kind)\",\"apiVersion\":\"\(apiVersion)\",\"metadata\":\(metadata)}}\n"
    }
}
