/// How events are counted, limited and sent; the numbers of client-go (`tools/events`, `tools/record`) where it has them.
public struct EventSettings: Hashable, Sendable {
    /// After how long without another like it an event is over.
    public var silence: Duration
    /// How often, at most, the count of one event is told once the first repetition has been.
    public var refresh: Duration
    /// How many different events an object can have at once.
    public var objectBurst: Int
    /// How long until an object can have one more.
    public var objectRefill: Duration
    /// How many events are held, waiting or counting; what comes after is dropped. What is about the node has a tenth more room.
    public var maximumHeld: Int
    /// Requests a second in the long run.
    public var qps: Double
    /// Requests at once.
    public var burst: Int
    /// How often an event is tried.
    public var maximumTries: Int
    /// The first delay after a failure; each further one is up to twice as long.
    public var minimumDelay: Duration
    /// The longest delay after failures, unless the server asks for more.
    public var maximumDelay: Duration
    /// The longest delay a server can ask for with `Retry-After`.
    public var maximumRetryAfter: Duration
    /// How long a request may take.
    public var requestTimeLimit: Duration
    /// How long, at the end, what is still held may be sent.
    public var flushTime: Duration
    /// How often, at most, the log tells how many events have been dropped.
    public var reportInterval: Duration

    public init(
        silence: Duration = .seconds(360), refresh: Duration = .seconds(1800), objectBurst: Int = 25,
        objectRefill: Duration = .seconds(300),
        maximumHeld: Int = 1000, qps: Double = 1, burst: Int = 10, maximumTries: Int = 12, minimumDelay: Duration = .seconds(1),
        maximumDelay: Duration = .seconds(20), maximumRetryAfter: Duration = .seconds(120), requestTimeLimit: Duration = .seconds(30),
        flushTime: Duration = .milliseconds(1500), reportInterval: Duration = .seconds(60)
    ) {
        self.silence = silence
        self.refresh = refresh
        self.objectBurst = objectBurst
        self.objectRefill = objectRefill
        self.maximumHeld = maximumHeld
        self.qps = qps
        self.burst = burst
        self.maximumTries = maximumTries
        self.minimumDelay = minimumDelay
        self.maximumDelay = maximumDelay
        self.maximumRetryAfter = maximumRetryAfter
        self.requestTimeLimit = requestTimeLimit
        self.flushTime = flushTime
        self.reportInterval = reportInterval
    }
}
