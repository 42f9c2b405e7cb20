/// How to talk to the API server (`clientConnection` of the configuration, and the times that are nobody's to configure).
public struct APIClientSettings: Hashable, Sendable {
    /// `contentType`: what bodies are preferably sent and asked for in.
    public var contentType: ContentType
    /// `acceptContentTypes`: an `Accept` header to use as it is; nil to derive it from `contentType`.
    public var acceptContentTypes: String?
    /// `qps`: requests a second in the long run; below 0 for no limit.
    public var qps: Double
    /// `burst`: requests at once.
    public var burst: Int
    /// `User-Agent`
    public var userAgent: String
    /// How long a connection, TLS included, may take to come about.
    public var connectTimeout: Duration
    /// After how long without a byte a response counts as lost. A watch gets a bookmark every minute.
    public var readTimeout: Duration
    /// How often files of credentials are looked at.
    public var credentialsInterval: Duration
    /// How long a credential plugin may take.
    public var execTimeLimit: Duration
    /// How large a whole body may be.
    public var maximumBodyBytes: Int

    public init(
        contentType: ContentType = .protobuf, acceptContentTypes: String? = nil, qps: Double = 5, burst: Int = 10, version: String,
        connectTimeout: Duration = .seconds(10), readTimeout: Duration = .seconds(135), credentialsInterval: Duration = .seconds(60),
        execTimeLimit: Duration = .seconds(30), maximumBodyBytes: Int = 256 << 20
    ) {
        self.contentType = contentType
        self.acceptContentTypes = acceptContentTypes
        self.qps = qps
        self.burst = burst
        userAgent = "kube-ipvs-proxy/\(version)"
        self.connectTimeout = connectTimeout
        self.readTimeout = readTimeout
        self.credentialsInterval = credentialsInterval
        self.execTimeLimit = execTimeLimit
        self.maximumBodyBytes = maximumBodyBytes
    }

    /// The `Accept` header: protobuf first, and JSON from what knows no protobuf.
    public var accept: String {
        if let acceptContentTypes, !acceptContentTypes.isEmpty { return acceptContentTypes }
        switch contentType {
        case .protobuf: return "\(ContentType.protobuf.rawValue),\(ContentType.json.rawValue)"
        case .json: return ContentType.json.rawValue
        }
    }
}
