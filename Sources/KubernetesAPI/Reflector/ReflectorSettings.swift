/// How lists and watches are paced.
public struct ReflectorSettings: Hashable, Sendable {
    /// The first delay after a failure; each further one is up to twice as long.
    public var minimumDelay: Duration
    /// The longest delay after failures, unless the server asks for more.
    public var maximumDelay: Duration
    /// The longest delay a server can ask for with `Retry-After`.
    public var maximumRetryAfter: Duration
    /// How long a watch is asked for, in seconds: between this and twice this, so that not all end at once.
    public var watchSeconds: Int
    /// A watch that ends sooner and says nothing counts as a failure.
    public var shortWatch: Duration
    /// How many objects a page of a list may have.
    public var pageLimit: Int
    /// Whether to ask for lists as the beginning of a watch (`sendInitialEvents`).
    public var streamsLists: Bool
    /// Whether the server may lack the resource (404).
    public var isOptional: Bool
    /// How long until a resource that the server lacks is looked for again.
    public var absentDelay: Duration
    /// How large an event may be; etcd takes objects of 1.5 MB, which JSON and a cautious factor make larger.
    public var maximumFrameBytes: Int

    public init(
        minimumDelay: Duration = .milliseconds(800), maximumDelay: Duration = .seconds(30), maximumRetryAfter: Duration = .seconds(120),
        watchSeconds: Int = 300, shortWatch: Duration = .seconds(1), pageLimit: Int = 500, streamsLists: Bool = true,
        isOptional: Bool = false, absentDelay: Duration = .seconds(600), maximumFrameBytes: Int = 16 << 20
    ) {
        self.minimumDelay = minimumDelay
        self.maximumDelay = maximumDelay
        self.maximumRetryAfter = maximumRetryAfter
        self.watchSeconds = watchSeconds
        self.shortWatch = shortWatch
        self.pageLimit = pageLimit
        self.streamsLists = streamsLists
        self.isOptional = isOptional
        self.absentDelay = absentDelay
        self.maximumFrameBytes = maximumFrameBytes
    }

    /// Whether a refusal says that the server lacks the resource, and may. A role from before the resource existed makes it 403.
    func isAbsence(_ status: APIStatus) -> Bool { isOptional && (status.code == 404 || status.code == 403) }
}
