internal import AsyncAlgorithms
internal import Kubernetes
internal import Logging

/// Follows the objects of a resource and publishes what changes, until its task is cancelled.
struct Reflector<Object: Reflected>: Sendable {
    private let client: APIClient
    private let selection: ObjectSelection
    private let settings: ReflectorSettings
    private let part: FeedProgress.Part
    private let progress: FeedProgress
    private let events: any EventRecorder
    private let logger: Logger

    init(
        _ client: APIClient, selection: ObjectSelection, settings: ReflectorSettings, part: FeedProgress.Part, progress: FeedProgress,
        events: any EventRecorder, logger: Logger
    ) {
        self.client = client
        self.selection = selection
        self.settings = settings
        self.part = part
        self.progress = progress
        self.events = events
        var logger = logger
        logger[metadataKey: "resource"] = "\(Object.resource.plural)"
        if let fields = selection.fields, !selection.canOmitFields { logger[metadataKey: "fieldSelector"] = "\(fields)" }
        self.logger = logger
    }

    /// Follows the objects; returns what it has come to when the task is cancelled.
    func run() async -> Reflection<Object> {
        var reflection = Reflection<Object>(selection, settings)
        var generator = SystemRandomNumberGenerator()
        while !Task.isCancelled {
            let step = reflection.next(using: &generator)
            let start = ContinuousClock.now
            do throws(ReflectorProblem) {
                switch step {
                case .wait(let duration):
                    // Cut short only by cancellation, which the loop looks at.
                    try? await Task.sleep(for: duration)
                case .page: try await page(step, &reflection)
                case .streamList, .watch:
                    try await watch(step, from: start, &reflection)
                    if !reflection.isDone(step) { reflection.ended(after: .now - start, using: &generator) }
                    logger.debug("Watch ended", metadata: ["duration": "\(ContinuousClock.now - start)"])
                }
            } catch {
                if Task.isCancelled { break }
                let before = reflection.state
                reflection.failed(error.failure, using: &generator)
                report(error, of: step)
                continueWithoutNodes(error)
                if before.streamsLists, !reflection.state.streamsLists {
                    logger.info("API server does not support streaming lists; using paginated lists")
                }
                if before.selectsFields, !reflection.state.selectsFields {
                    logger.info(
                        "API server rejects field selector; filtering locally", metadata: ["fieldSelector": "\(selection.fields ?? "")"])
                }
            }
        }
        return reflection
    }

    /// A server that refuses to list Nodes will not change its mind while Services wait.
    private func continueWithoutNodes(_ problem: ReflectorProblem) {
        guard part == .otherNodes, case .status(let status, _) = problem.failure, [401, 403, 404, 405].contains(status.code),
            progress.stopWaitingForOtherNodes()
        else { return }
        logger.error(
            "API server refuses to list Nodes; not checking external and load balancer IPs against Node addresses",
            metadata: ["error": "\(problem.message)"])
    }

    private func page(_ step: ReflectorStep, _ reflection: inout Reflection<Object>) async throws(ReflectorProblem) {
        guard let request = selection(reflection).request(step, of: Object.resource) else { return }
        let list: ObjectList<Object>
        do {
            let response = try await client.send(request)
            list = try WireDecoder<Object>(contentType: response.contentType).list(response.body)
        } catch {
            throw ReflectorProblem(error)
        }
        for problem in list.problems { report(problem) }
        let hadListed = reflection.state.hasListed
        publish(reflection.take(list), reflection, hadListed: hadListed)
    }

    /// What arrives while a streamed list or a watch is under way.
    private enum StreamInput: Sendable {
        case bytes([UInt8])
        case end
        /// Time has passed.
        case tick
    }

    /// Reads a streamed list or a watch to its end; returns early where no watch is to follow the list.
    private func watch(
        _ step: ReflectorStep, from start: ContinuousClock.Instant, _ reflection: inout Reflection<Object>
    ) async throws(ReflectorProblem) {
        guard let request = selection(reflection).request(step, of: Object.resource) else { return }
        do {
            let stream = try await open(request, step)
            var decoder = WatchDecoder<Object>(contentType: stream.contentType, maximumFrameBytes: settings.maximumFrameBytes)
            let bytes = chain(stream.map { StreamInput.bytes($0) }, [StreamInput.end].async)
            let ticks = AsyncTimerSequence(interval: settings.streamedListLimit / 5, clock: .continuous).map { _ in StreamInput.tick }
            arrivals: for try await arrival in merge(bytes, ticks) {
                switch arrival {
                case .end: break arrivals
                case .tick: try checkList(after: .now - start, reflection)
                case .bytes(let chunk):
                    try take(chunk, &decoder, &reflection)
                    if reflection.isDone(step) { return }
                }
            }
            guard decoder.isAtFrameBoundary else { throw ReflectorProblem.cutInEvent }
        } catch {
            throw ReflectorProblem(error)
        }
    }

    /// Sends the request of a streamed list or a watch. A list has to begin within the time that it may take.
    private func open(_ request: APIRequest, _ step: ReflectorStep) async throws -> APIByteStream {
        guard case .streamList = step else { return try await client.stream(request) }
        return try await withThrowingTaskGroup { group in
            group.addTask { try await client.stream(request) }
            group.addTask {
                try await Task.sleep(for: settings.streamedListLimit)
                throw ReflectorProblem.listUnfinished(after: settings.streamedListLimit)
            }
            defer { group.cancelAll() }
            guard let stream = try await group.next() else { throw APIError.cancelled }
            return stream
        }
    }

    private func take(_ chunk: [UInt8], _ decoder: inout WatchDecoder<Object>, _ reflection: inout Reflection<Object>) throws {
        let hadListed = reflection.state.hasListed
        var changes: [ClusterChange] = []
        // What came before a mistake has been taken over and has to be published, or the next list would not find it new.
        defer { publish(changes, reflection, hadListed: hadListed) }
        // One after the other: an object that cannot be read is still in the list that ends in the same bytes.
        for outcome in try decoder.outcomes(chunk) {
            switch outcome {
            case .event(let event): changes += try reflection.take(event)
            case .problem(let problem):
                report(problem)
                if reflection.take(problem) { throw ReflectorProblem(problem) }
            }
        }
        if let failure = decoder.failure { throw failure }
    }

    /// Gives a streamed list up whose end does not come.
    private func checkList(after waited: Duration, _ reflection: Reflection<Object>) throws {
        guard reflection.state.resourceVersion == nil else { return }
        if waited >= settings.streamedListLimit { throw ReflectorProblem.listUnfinished(after: settings.streamedListLimit) }
        logger.warning(
            "Waiting for streaming list to complete",
            metadata: ["waited": "\(waited)", "objects": "\(reflection.held.count)", "limit": "\(settings.streamedListLimit)"])
    }

    private func selection(_ reflection: Reflection<Object>) -> ObjectSelection {
        reflection.state.selectsFields ? selection : selection.withoutFields
    }

    private func publish(_ changes: [ClusterChange], _ reflection: Reflection<Object>, hadListed: Bool) {
        progress.publish(changes, of: part, isIncomplete: reflection.held.isIncomplete)
        guard !hadListed, reflection.state.hasListed else { return }
        logger.info("Initial list complete", metadata: ["objects": "\(reflection.held.count)"])
        progress.listed(part)
    }

    private func report(_ problem: WireProblem) {
        logger.error("Failed to decode object", metadata: ["problem": "\(problem)"])
        if let event = ClusterEvent(problem, of: Object.self) { events.record(event) }
    }

    private func report(_ problem: ReflectorProblem, of step: ReflectorStep) {
        let level: Logger.Level =
            switch problem.failure {
            // A version that is gone is part of the API.
            case .status(let status, _) where status.code == 410: .info
            default: .warning
            }
        logger.log(level: level, "List or watch failed", metadata: ["step": "\(step)", "error": "\(problem.message)"])
    }
}

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
