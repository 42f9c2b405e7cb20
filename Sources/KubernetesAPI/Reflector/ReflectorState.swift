/// Decides how a set of objects is followed: list, watch from there, and what to do when either fails.
///
/// It knows neither objects nor clock nor connection: it is asked for the `next` step and gets the result. The rules are those of
/// client-go's `tools/cache/reflector.go`, with one addition: no way of failing keeps it at one version or token for ever.
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
    /// Of lists that follow failed watches: an event in between does not begin it anew, a bookmark or a watch that lasted does.
    private var listBackoff: Backoff
    /// The newest version there has been, for a list not to go back behind it; nil where the server has forgotten it.
    private var newest: String?
    /// Whether lists are asked for as the beginning of a watch; false for good once the server has refused that, or did not end one.
    public private(set) var streamsLists: Bool
    /// Whether requests have the field selector; false for good once the server has refused it.
    public private(set) var selectsFields = true
    /// Streamed lists in a row that did not come to their end.
    private var brokenStreams = 0
    /// Failures in a row at the same version or page.
    private var failuresInPlace = 0
    private var listsWithoutPaging = false
    /// Whether there has been a whole list.
    public private(set) var hasListed = false
    /// Whether the watch under way has brought anything.
    private var hasProgressed = false

    /// After so many streamed lists that broke off, the list is paged once: it may pass where the stream does not.
    private static let brokenStreamLimit = 3
    /// After so many failures in one place a list begins anew: it may bring what the watch does not.
    private static let failureLimit = 3

    /// - Parameter canOmitFields: whether the field selector may be left out where the server refuses it.
    public init(_ settings: ReflectorSettings = ReflectorSettings(), canOmitFields: Bool = false) {
        self.settings = settings
        self.canOmitFields = canOmitFields
        streamsLists = settings.streamsLists
        backoff = Backoff(minimum: settings.minimumDelay, maximum: settings.maximumDelay)
        listBackoff = backoff
    }

    /// Where a watch goes on; nil while there is no whole list to go on from.
    public var resourceVersion: String? {
        guard case .watch(let version) = position else { return nil }
        return version
    }

    /// Whether there is a whole list and no watch is to follow it.
    func isListWithoutWatch(objectCount: Int) -> Bool { resourceVersion != nil && settings.following.relists(objectCount) }

    /// What to do now.
    ///
    /// - Parameter objectCount: how many objects there are.
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
            // Proxies that started together do not list together.
            return .wait(settings.following.pause(objectCount) * Double.random(in: 0.5...1, using: &generator))
        }
        let seconds = Int.random(in: settings.watchSeconds...settings.watchSeconds * 2, using: &generator)
        switch position {
        case .start where isStreaming: return .streamList(timeoutSeconds: seconds)
        case .start:
            // The server's cache will do, which has no pages, unless that means to go back in time; then etcd has to answer.
            let version = newest ?? (hasListed ? nil : "0")
            return .page(
                resourceVersion: version, limit: listsWithoutPaging || newest != nil ? nil : settings.pageLimit, continueToken: nil)
        case .page(let token): return .page(resourceVersion: nil, limit: settings.pageLimit, continueToken: token)
        case .watch(let version): return .watch(resourceVersion: version, timeoutSeconds: seconds)
        }
    }

    private var isStreaming: Bool { streamsLists && brokenStreams < ReflectorState.brokenStreamLimit }

    /// A page came; without a token it was the last.
    public mutating func tookPage(resourceVersion: String, continueToken: String?) {
        failuresInPlace = 0
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
            listBackoff.reset()
        } else if isInitialEventsEnd {
            listed(resourceVersion)
            return true
        }
        return false
    }

    /// A watch ended without an error, after this long.
    public mutating func ended(after duration: Duration, using generator: inout some RandomNumberGenerator) {
        if resourceVersion == nil {
            brokenStreams += 1
            wait(using: &generator)
        } else if hasProgressed || duration >= settings.shortWatch {
            backoff.reset()
            listBackoff.reset()
        } else {
            // A watch that ends like this may hide changes (kubernetes issue 104171).
            position = .start
            delay = listBackoff.next(using: &generator)
        }
    }

    /// A step failed.
    public mutating func failed(_ failure: ReflectorFailure, using generator: inout some RandomNumberGenerator) {
        if case .status(let status, _) = failure, ReflectorState.forgets(status) { newest = nil }
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
        // The server is busy or away: the version is as good as before, and a list costs more than a watch.
        case .status(let status, _) where status.code == 429: wait(atLeast: status.retryAfterSeconds, using: &generator)
        case .unreachable: wait(using: &generator)
        // A load balancer in front of a server that restarts.
        case .status(let status, asEvent: false) where status.code == 502 || status.code == 503:
            retry(atLeast: status.retryAfterSeconds, using: &generator)
        case .transport: retry(using: &generator)
        case .status, .undecodable, .unknownChange, .listUnfinished: restart(using: &generator)
        }
    }

    /// Whether the server does not have a version: it is gone, or has not come yet.
    private static func forgets(_ status: APIStatus) -> Bool { [400, 410, 422, 504].contains(status.code) || status.reason == "Expired" }

    /// Whether the server does not know lists as the beginning of a watch, as against being in trouble.
    private func refusesStreaming(_ status: APIStatus, asEvent: Bool) -> Bool {
        switch status.code {
        case 400, 405, 406, 415, 422, 501: true
        // An API server whose etcd cannot do it says 500 as the first event.
        case 500: asEvent
        default: false
        }
    }

    /// Tries the same again; after some failures in a row, lists.
    private mutating func retry(atLeast seconds: Int? = nil, using generator: inout some RandomNumberGenerator) {
        if hasProgressed { failuresInPlace = 0 }
        failuresInPlace += 1
        if failuresInPlace >= ReflectorState.failureLimit {
            failuresInPlace = 0
            position = .start
        }
        wait(atLeast: seconds, using: &generator)
    }

    /// Lists again: at once the first time, later with a delay, should the server go on like this.
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
        // Versions are numbers (KEP-5504); going back would only bring what has been seen.
        if let old = UInt64(held), let new = UInt64(version), new < old { return }
        position = .watch(from: version)
        newest = version
    }

    private mutating func wait(atLeast seconds: Int? = nil, using generator: inout some RandomNumberGenerator) {
        let asked = min(.seconds(seconds ?? 0), settings.maximumRetryAfter)
        let own = backoff.next(using: &generator)
        // Clients that got the same answer do not all return at the same time.
        delay = asked > own ? asked + min(own, settings.maximumDelay) * 0.5 : own
    }
}

/// What a reflector does next.
public enum ReflectorStep: Hashable, Sendable {
    /// Watch from nowhere: first everything there is (`sendInitialEvents`), then what changes.
    case streamList(timeoutSeconds: Int)
    /// Get a page of a list; `resourceVersion` "0" is whatever the server has at hand, nil the newest.
    case page(resourceVersion: String?, limit: Int?, continueToken: String?)
    case watch(resourceVersion: String, timeoutSeconds: Int)
    case wait(Duration)
}

/// How a step went wrong.
public enum ReflectorFailure: Hashable, Sendable {
    /// The server refused, with a status line or, `asEvent`, in the middle of a watch.
    case status(APIStatus, asEvent: Bool)
    /// There was no connection to the server, or there are no credentials: nothing is known of the server.
    case unreachable
    /// The connection failed or fell silent before the answer was whole.
    case transport
    /// The end of a streamed list did not come in time.
    case listUnfinished
    /// Something happened to an object, and only a list can tell what.
    case unknownChange
    /// What came is not what the API sends.
    case undecodable
}

/// A failure with what a log says of it.
struct ReflectorProblem: Error, Hashable {
    var failure: ReflectorFailure
    var message: String

    /// An object in a watch that cannot be understood.
    init(_ problem: WireProblem) {
        failure = .unknownChange
        message = "\(problem)"
    }

    /// A streamed list that has no end.
    static func listUnfinished(after duration: Duration) -> ReflectorProblem {
        ReflectorProblem(
            failure: .listUnfinished,
            message: "the streaming list did not end within \(duration): the bookmark with k8s.io/initial-events-end is missing")
    }

    /// A stream that ended where it must not.
    static let cutInEvent = ReflectorProblem(APIError.transport("the stream ended within an event"))

    private init(failure: ReflectorFailure, message: String) {
        self.failure = failure
        self.message = message
    }

    init(_ error: any Error) {
        message = "\(error)"
        switch error {
        case let problem as ReflectorProblem: self = problem
        // Only the event of a watch is thrown bare.
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
