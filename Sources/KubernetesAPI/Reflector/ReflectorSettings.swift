/// How lists and watches are paced.
public struct ReflectorSettings: Hashable, Sendable {
    /// How objects are kept up to date after a list.
    public enum Following: Hashable, Sendable {
        case watch
        /// A list after each pause.
        case relist
        /// A watch up to so many objects, lists beyond.
        case watchUpTo(objects: Int)

        func relists(_ objectCount: Int) -> Bool {
            switch self {
            case .watch: false
            case .relist: true
            case .watchUpTo(let limit): objectCount > limit
            }
        }

        /// The longest pause between two lists: the more objects, the longer, so that a client reads two to four objects a second at most.
        func pause(_ objectCount: Int) -> Duration { max(.seconds(600), .milliseconds(500) * objectCount) }
    }

    /// The first delay after a failure; each further one is up to twice as long.
    public var minimumDelay: Duration
    /// The longest delay after failures, unless the server asks for more.
    public var maximumDelay: Duration
    /// The longest delay a server can ask for with `Retry-After`.
    public var maximumRetryAfter: Duration
    /// How long a watch is asked for, in seconds: between this and twice this, so that not all end at once.
    public var watchSeconds: Int
    /// A watch that ends sooner and without an event counts as a failure.
    public var shortWatch: Duration
    /// How many objects a page of a list may have.
    public var pageLimit: Int
    /// Whether to ask for lists as the beginning of a watch (`sendInitialEvents`).
    public var streamsLists: Bool
    /// How long a streamed list may take; a paged one takes over then.
    public var streamedListLimit: Duration
    /// What comes after a list.
    public var following: Following
    /// How large an event may be; etcd takes objects of 1.5 MB, which JSON and a cautious factor make larger.
    public var maximumFrameBytes: Int

    public init(
        minimumDelay: Duration = .milliseconds(800), maximumDelay: Duration = .seconds(30), maximumRetryAfter: Duration = .seconds(120),
        watchSeconds: Int = 300, shortWatch: Duration = .seconds(1), pageLimit: Int = 500, streamsLists: Bool = true,
        streamedListLimit: Duration = .seconds(50), following: Following = .watch, maximumFrameBytes: Int = 16 << 20
    ) {
        self.minimumDelay = minimumDelay
        self.maximumDelay = maximumDelay
        self.maximumRetryAfter = maximumRetryAfter
        self.watchSeconds = watchSeconds
        self.shortWatch = shortWatch
        self.pageLimit = pageLimit
        self.streamsLists = streamsLists
        self.streamedListLimit = streamedListLimit
        self.following = following
        self.maximumFrameBytes = maximumFrameBytes
    }
}
