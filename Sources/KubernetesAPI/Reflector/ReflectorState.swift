/// Decides how a set of objects is followed: list, watch from there, and how to recover if either fails.
///
/// It uses neither objects nor clock nor connection: the caller asks for the `next` step and reports the result. The rules are those of
/// client-go's `tools/cache/reflector.go`, with one addition: no failure keeps it at the same version or token forever.
public struct ReflectorState: Hashable, Sendable {
    private enum Position: Hashable {
        case start
        case page(token: String)
        case watch(from: String)
    }

    private let settings: ReflectorSettings
    private let canOmitFields: Bool
    private var position = Position.start
    private var delay: Duration?
    private var backoff: Backoff
    /// For lists that follow failed watches: an event in between does not reset it, a bookmark or a watch that lasted does.
    private var listBackoff: Backoff
    /// The newest version so far, so that a list does not go back in time; nil if the server no longer has it.
    private var newest: String?
    /// Whether lists are requested as the beginning of a watch; permanently false once the server rejects that or fails to complete one.
    public private(set) var streamsLists: Bool
    /// Whether requests have the field selector; permanently false once the server rejects it.
    public private(set) var selectsFields = true
    /// Consecutive streaming lists that did not complete.
    private var brokenStreams = 0
    /// Consecutive failures at the same version or page.
    private var failuresInPlace = 0
    private var listsWithoutPaging = false
    /// Whether a list has been completed.
    public private(set) var hasListed = false
    /// Whether the current watch has delivered anything.
    private var hasProgressed = false

    /// After this many broken streaming lists, the list is paginated once: it may succeed where the stream does not.
    private static let brokenStreamLimit = 3
    /// After this many failures in one place, a new list begins: it may deliver what the watch does not.
    private static let failureLimit = 3

    /// - Parameter canOmitFields: whether the field selector can be omitted if the server rejects it.
    public init(_ settings: ReflectorSettings = ReflectorSettings(), canOmitFields: Bool = false) {
        self.settings = settings
        self.canOmitFields = canOmitFields
        streamsLists = settings.streamsLists
        backoff = Backoff(minimum: settings.minimumDelay, maximum: settings.maximumDelay)
        listBackoff = backoff
    }

    /// The version from which a watch continues; nil without a complete list.
    public var resourceVersion: String? {
        guard case .watch(let version) = position else { return nil }
        return version
    }

    /// Whether there is a complete list and no watch follows it.
    func isListWithoutWatch(objectCount: Int) -> Bool { resourceVersion != nil && settings.following.relists(objectCount) }

    /// Returns the next step.
    ///
    /// - Parameter objectCount: the number of objects held.
    public mutating func next(objectCount: Int = 0, using generator: inout some RandomNumberGenerator) -> ReflectorStep {
        if let delay {
            self.delay = nil
            return .wait(delay)
        }
        hasProgressed = false
        if isListWithoutWatch(objectCount: objectCount) {
            position = .start
            backoff.reset()
            listBackoff.reset()
            // Jitter, so that proxies that started together do not list together.
            return .wait(settings.following.pause(objectCount) * Double.random(in: 0.5...1, using: &generator))
        }
        let seconds = Int.random(in: settings.watchSeconds...settings.watchSeconds * 2, using: &generator)
        switch position {
        case .start where isStreaming: return .streamList(timeoutSeconds: seconds)
        case .start:
            // The server's cache, which has no pages, is sufficient unless that could go back in time; then etcd has to answer.
            let version = newest ?? (hasListed ? nil : "0")
            return .page(
                resourceVersion: version, limit: listsWithoutPaging || newest != nil ? nil : settings.pageLimit, continueToken: nil)
        case .page(let token): return .page(resourceVersion: nil, limit: settings.pageLimit, continueToken: token)
        case .watch(let version): return .watch(resourceVersion: version, timeoutSeconds: seconds)
        }
    }

    private var isStreaming: Bool { streamsLists && brokenStreams < ReflectorState.brokenStreamLimit }

    /// Processes a page; without a token it was the last.
    public mutating func processPage(resourceVersion: String, continueToken: String?) {
        failuresInPlace = 0
        if let continueToken {
            position = .page(token: continueToken)
        } else {
            listed(resourceVersion)
        }
    }

    /// Processes the addition, modification or deletion of an object.
    public mutating func processEvent(resourceVersion: String) {
        // A watch cannot continue from an incomplete list.
        guard self.resourceVersion != nil else { return }
        progressed(to: resourceVersion)
    }

    /// Processes a bookmark; returns whether it completes a list.
    @discardableResult
    public mutating func processBookmark(resourceVersion: String, isInitialEventsEnd: Bool) -> Bool {
        if self.resourceVersion != nil {
            progressed(to: resourceVersion)
            listBackoff.reset()
        } else if isInitialEventsEnd {
            listed(resourceVersion)
            return true
        }
        return false
    }

    /// Processes the end of a watch without an error, after this duration.
    public mutating func ended(after duration: Duration, using generator: inout some RandomNumberGenerator) {
        if resourceVersion == nil {
            brokenStreams += 1
            wait(using: &generator)
        } else if hasProgressed || duration >= settings.shortWatch {
            backoff.reset()
            listBackoff.reset()
        } else {
            // Such a watch may hide changes (kubernetes issue 104171).
            position = .start
            delay = listBackoff.next(using: &generator)
        }
    }

    /// Processes the failure of a step.
    public mutating func failed(_ failure: ReflectorFailure, using generator: inout some RandomNumberGenerator) {
        if case .status(let status, _) = failure, ReflectorState.lacksVersion(status) { newest = nil }
        switch position {
        case .start: failedToList(failure, using: &generator)
        case .page: failedToPage(failure, using: &generator)
        case .watch: failedToWatch(failure, using: &generator)
        }
    }

    private mutating func failedToList(_ failure: ReflectorFailure, using generator: inout some RandomNumberGenerator) {
        switch failure {
        case .status(let status, _) where status.code == 400 && canOmitFields && selectsFields: selectsFields = false
        case .status(let status, let asEvent) where isStreaming && refusesStreaming(status, asEvent: asEvent): streamsLists = false
        case .listUnfinished: streamsLists = false
        case .status(let status, let asEvent):
            if asEvent { brokenStreams += 1 }
            wait(atLeast: status.retryAfterSeconds, using: &generator)
        case .transport, .undecodable, .unknownChange:
            if isStreaming { brokenStreams += 1 }
            wait(using: &generator)
        case .unreachable: wait(using: &generator)
        }
    }

    private mutating func failedToPage(_ failure: ReflectorFailure, using generator: inout some RandomNumberGenerator) {
        switch failure {
        case .status(let status, _) where status.code == 410:
            listsWithoutPaging = true
            restart(using: &generator)
        case .status(let status, _): retry(atLeast: status.retryAfterSeconds, using: &generator)
        case .transport, .undecodable, .unknownChange, .listUnfinished: retry(using: &generator)
        case .unreachable: wait(using: &generator)
        }
    }

    private mutating func failedToWatch(_ failure: ReflectorFailure, using generator: inout some RandomNumberGenerator) {
        switch failure {
        // The server is busy or unreachable: the version is still valid, and a list costs more than a watch.
        case .status(let status, _) where status.code == 429: wait(atLeast: status.retryAfterSeconds, using: &generator)
        case .unreachable: wait(using: &generator)
        // A load balancer in front of a restarting server.
        case .status(let status, asEvent: false) where status.code == 502 || status.code == 503:
            retry(atLeast: status.retryAfterSeconds, using: &generator)
        case .transport: retry(using: &generator)
        // 410 Gone among them: the version has expired, and only a new list leads to a valid one.
        case .status, .undecodable, .unknownChange, .listUnfinished: restart(using: &generator)
        }
    }

    /// Whether the server does not have a version: it has expired, or does not exist yet.
    private static func lacksVersion(_ status: APIStatus) -> Bool {
        [400, 410, 422, 504].contains(status.code) || status.reason == "Expired"
    }

    /// Whether the server does not support lists as the beginning of a watch, as opposed to failing temporarily.
    private func refusesStreaming(_ status: APIStatus, asEvent: Bool) -> Bool {
        switch status.code {
        case 400, 405, 406, 415, 422, 501: true
        // An API server whose etcd does not support it returns 500 as the first event.
        case 500: asEvent
        default: false
        }
    }

    /// Retries the same step; after several consecutive failures, lists.
    private mutating func retry(atLeast seconds: Int? = nil, using generator: inout some RandomNumberGenerator) {
        if hasProgressed { failuresInPlace = 0 }
        failuresInPlace += 1
        if failuresInPlace >= ReflectorState.failureLimit {
            failuresInPlace = 0
            position = .start
        }
        wait(atLeast: seconds, using: &generator)
    }

    /// Lists again: at once the first time, then with a delay in case the server keeps failing.
    private mutating func restart(using generator: inout some RandomNumberGenerator) {
        position = .start
        failuresInPlace = 0
        let wait = listBackoff.next(using: &generator)
        if listBackoff.count > 1 { delay = wait }
    }

    private mutating func listed(_ resourceVersion: String) {
        position = .watch(from: resourceVersion)
        newest = resourceVersion.isEmpty ? nil : resourceVersion
        hasListed = true
        listsWithoutPaging = false
        brokenStreams = 0
        failuresInPlace = 0
    }

    private mutating func progressed(to version: String) {
        hasProgressed = true
        backoff.reset()
        guard case .watch(let held) = position, !version.isEmpty else { return }
        // Versions are numbers (KEP-5504); going back would only repeat known changes.
        if let old = UInt64(held), let new = UInt64(version), new < old { return }
        position = .watch(from: version)
        newest = version
    }

    private mutating func wait(atLeast seconds: Int? = nil, using generator: inout some RandomNumberGenerator) {
        let requested = min(.seconds(seconds ?? 0), settings.maximumRetryAfter)
        let ownDelay = backoff.next(using: &generator)
        // Jitter, so that clients with the same response do not retry at the same time.
        delay = requested > ownDelay ? requested + min(ownDelay, settings.maximumDelay) * 0.5 : ownDelay
    }
}

/// The next step of a reflector.
public enum ReflectorStep: Hashable, Sendable {
    /// A watch without a start version: first all objects (`sendInitialEvents`), then changes.
    case streamList(timeoutSeconds: Int)
    /// A page of a list; `resourceVersion` "0" is any version that the server has cached, nil the newest.
    case page(resourceVersion: String?, limit: Int?, continueToken: String?)
    case watch(resourceVersion: String, timeoutSeconds: Int)
    case wait(Duration)
}

/// How a step failed.
public enum ReflectorFailure: Hashable, Sendable {
    /// The server returned an error, as a response or, `asEvent`, within a watch.
    case status(APIStatus, asEvent: Bool)
    /// There was no connection to the server, or there are no credentials: the state of the server is unknown.
    case unreachable
    /// The connection failed or timed out before the response was complete.
    case transport
    /// A streaming list did not complete in time.
    case listUnfinished
    /// An object changed, and only a list can show how.
    case unknownChange
    /// The response is invalid.
    case undecodable
}

/// A failure and its message for the log.
struct ReflectorProblem: Error, Hashable {
    var failure: ReflectorFailure
    var message: String

    /// An object in a watch that failed to decode.
    init(_ problem: WireProblem) {
        failure = .unknownChange
        message = "\(problem)"
    }

    /// A streaming list that did not complete.
    static func listUnfinished(after duration: Duration) -> ReflectorProblem {
        ReflectorProblem(
            failure: .listUnfinished,
            message: "the streaming list did not end within \(duration): the bookmark with k8s.io/initial-events-end is missing")
    }

    /// A stream that ended in the middle of an event.
    static let cutInEvent = ReflectorProblem(APIError.transport("the stream ended within an event"))

    private init(failure: ReflectorFailure, message: String) {
        self.failure = failure
        self.message = message
    }

    init(_ error: any Error) {
        message = "\(error)"
        switch error {
        case let problem as ReflectorProblem: self = problem
        // Only the error event of a watch is thrown unwrapped.
        case let status as APIStatus: failure = .status(status, asEvent: true)
        case APIError.status(let status): failure = .status(status, asEvent: false)
        case APIError.unreadable: failure = .undecodable
        case APIError.unreachable, APIError.access: failure = .unreachable
        case let error as WireError:
            failure = .undecodable
            message = "\(error)"
        default: failure = .transport
        }
    }
}
