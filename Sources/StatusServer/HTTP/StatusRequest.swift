/// A request as far as answers depend on it.
public struct StatusRequest: Hashable, Sendable {
    /// `GET`, `PUT`…
    public var method: String
    /// Without the query.
    public var path: String
    /// Parameters in the query, `verbose` and `1` in `?verbose=1`; empty values where there are none.
    public var parameters: [String: String]
    /// The `Accept` header; empty where there is none.
    public var accept: String
    /// At most `bodyLimit` bytes.
    public var body: String

    public init(method: String = "GET", path: String, parameters: [String: String] = [:], accept: String = "", body: String = "") {
        self.method = method
        self.path = path
        self.parameters = parameters
        self.accept = accept
        self.body = body
    }

    /// What nobody has a reason to exceed is refused (413).
    public static let bodyLimit = 4096
}
