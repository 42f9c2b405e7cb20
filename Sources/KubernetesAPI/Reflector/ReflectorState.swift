/// Decides how a set of objects is followed: list, watch from there, and what to do when either fails.
///
/// It knows neither objects nor clock nor connection: it is asked for the `next` step and told what came of it. The rules are those of
/// client-go's `tools/cache/reflector.go`.
public struct ReflectorState: Hashable, Sendable {
    private enum Position: Hashable {
        case start
        case page(token: String)
        case watch(from: String)
    }

    private let settings: ReflectorSettings
    private var position = Position.start
    private var delay: Duration?
    private var backoff: Backoff
    /// Whether lists are asked for as the beginning of a watch; false for good once the server has refused that.
    public private(set) var streamsLists: Bool
    /// Streamed lists in a row that did not come to their end.
    private var brokenStreams = 0
    /// Answers in a row that could not be decoded.
    private var undecodable = 0
    private var listsWhole = false
    /// Whether there has been a whole list.
    public private(set) var hasListed = false
    /// Whether the watch under way has brought anything.
    private var hasProgressed = false

    /// After so many streamed lists that broke off, the list is paged once: it may pass where the stream does not.
    private static let brokenStreamLimit = 3

    public init(_ settings: ReflectorSettings = ReflectorSettings()) {
        self.settings = settings
        streamsLists = settings.streamsLists
        backoff = Backoff(minimum: settings.minimumDelay, maximum: settings.maximumDelay)
    }

    /// Where a watch goes on; nil while there is no whole list to go on from.
    public var resourceVersion: String? {
        guard case .watch(let version) = position else { return nil }
        return version
    }

    /// What to do now.
    public mutating func next(using generator: inout some RandomNumberGenerator) -> ReflectorStep {
        if let delay {
            self.delay = nil
            return .wait(delay)
        }
        hasProgressed = false
        let seconds = Int.random(in: settings.watchSeconds...settings.watchSeconds * 2, using: &generator)
        switch position {
        case .start where isStreaming: return .streamList(timeoutSeconds: seconds)
        case .start:
            // The server's cache will do for the first list; later only the newest rules out going back in time.
            return .page(resourceVersion: hasListed ? nil : "0", limit: listsWhole ? nil : settings.pageLimit, continueToken: nil)
        case .page(let token): return .page(resourceVersion: nil, limit: settings.pageLimit, continueToken: token)
        case .watch(let version): return .watch(resourceVersion: version, timeoutSeconds: seconds)
        }
    }

    private var isStreaming: Bool { streamsLists && brokenStreams < ReflectorState.brokenStreamLimit }

    /// A page came; without a token it was the last.
    public mutating func tookPage(resourceVersion: String, continueToken: String?) {
        undecodable = 0
        if let continueToken {
            position = .page(token: continueToken)
        } else {
            listed(resourceVersion)
        }
    }

    /// An object was added, modified or deleted.
    public mutating func tookEvent(resourceVersion: String) {
        // What a list has brought so far is nothing to go on from.
        guard self.resourceVersion != nil else { return }
        progressed(to: resourceVersion)
    }

    /// The server said how far the watch is; returns whether that ends a list.
    @discardableResult
    public mutating func tookBookmark(resourceVersion: String, isInitialEventsEnd: Bool) -> Bool {
        if self.resourceVersion != nil {
            progressed(to: resourceVersion)
        } else if isInitialEventsEnd {
            listed(resourceVersion)
            return true
        }
        return false
    }

    /// A watch ended as watches do, after this long.
    public mutating func ended(after duration: Duration, using generator: inout some RandomNumberGenerator) {
        if resourceVersion == nil {
            brokenStreams += 1
            wait(using: &generator)
        } else if hasProgressed || duration >= settings.shortWatch {
            backoff.reset()
        } else {
            wait(using: &generator)
        }
    }

    /// A step failed.
    public mutating func failed(_ failure: ReflectorFailure, using generator: inout some RandomNumberGenerator) {
        switch failure {
        case .transport:
            if case .start = position, isStreaming { brokenStreams += 1 }
            wait(using: &generator)
        case .undecodable:
            undecodable += 1
            if case .start = position, isStreaming { brokenStreams += 1 }
            // Once may be the connection's fault. Twice is an event that will come again: the list leaves it behind.
            if undecodable > 1 { position = .start }
            wait(using: &generator)
        case .unknownChange: restart(using: &generator)
        case .status(let status, let asEvent): refused(status, asEvent: asEvent, using: &generator)
        }
    }

    private mutating func refused(_ status: APIStatus, asEvent: Bool, using generator: inout some RandomNumberGenerator) {
        switch position {
        case .start where settings.isAbsence(status): delay = settings.absentDelay
        case .start where isStreaming && refusesStreaming(status, asEvent: asEvent): streamsLists = false
        case .page where status.code == 410:
            listsWhole = true
            restart(using: &generator)
        case .start where isStreaming && asEvent:
            brokenStreams += 1
            wait(atLeast: status.retryAfterSeconds, using: &generator)
        case .watch where leavesBehind(status): restart(using: &generator)
        default: wait(atLeast: status.retryAfterSeconds, using: &generator)
        }
    }

    /// Whether the server does not know lists as the beginning of a watch, as against being in trouble.
    private func refusesStreaming(_ status: APIStatus, asEvent: Bool) -> Bool {
        switch status.code {
        case 400, 405, 406, 415, 422, 501: true
        // An API server whose etcd cannot do it says 500 as the first event.
        case 500: asEvent
        default: false
        }
    }

    /// Whether a watch cannot go on from where it was: the version is gone, or the server has never heard of it.
    private func leavesBehind(_ status: APIStatus) -> Bool {
        status.code == 410 || status.code == 400 || status.code == 422 || status.code == 504
            || status.reason == "Expired" || status.reason == "Gone"
    }

    /// Lists again: at once the first time, later with a delay, should the server go on like this.
    private mutating func restart(using generator: inout some RandomNumberGenerator) {
        position = .start
        let wait = backoff.next(using: &generator)
        if backoff.count > 1 { delay = wait }
    }

    private mutating func listed(_ resourceVersion: String) {
        position = .watch(from: resourceVersion)
        hasListed = true
        listsWhole = false
        brokenStreams = 0
        undecodable = 0
    }

    private mutating func progressed(to version: String) {
        hasProgressed = true
        undecodable = 0
        backoff.reset()
        guard case .watch(let held) = position, !version.isEmpty else { return }
        // Versions are numbers (KEP-5504); going back would only bring what has been seen.
        if let old = UInt64(held), let new = UInt64(version), new < old { return }
        position = .watch(from: version)
    }

    private mutating func wait(atLeast seconds: Int? = nil, using generator: inout some RandomNumberGenerator) {
        let asked = min(.seconds(seconds ?? 0), settings.maximumRetryAfter)
        let own = backoff.next(using: &generator)
        // Those who were all told the same do not all come at the same time.
        delay = asked > own ? asked + min(own, settings.maximumDelay) * 0.5 : own
    }
}
