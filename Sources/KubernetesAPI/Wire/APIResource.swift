/// Where the API serves a kind of object.
public struct APIResource: Hashable, Sendable {
    /// `discovery.k8s.io`; empty for the core group.
    public var group: String
    /// `v1`
    public var version: String
    /// The kind in the plural and in lower case, as it stands in paths: `endpointslices`.
    public var plural: String
    /// Whether its objects live in namespaces.
    public var namespaced: Bool

    public init(group: String = "", version: String, plural: String, namespaced: Bool) {
        self.group = group
        self.version = version
        self.plural = plural
        self.namespaced = namespaced
    }

    /// What stands in `apiVersion`: `v1`, `discovery.k8s.io/v1`.
    public var apiVersion: String { group.isEmpty ? version : "\(group)/\(version)" }

    /// The path of a list or watch over all namespaces: `/api/v1/services`, `/apis/discovery.k8s.io/v1/endpointslices`.
    public var listPath: String { group.isEmpty ? "/api/\(version)/\(plural)" : "/apis/\(group)/\(version)/\(plural)" }
}
