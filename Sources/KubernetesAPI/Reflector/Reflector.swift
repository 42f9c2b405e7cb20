internal import AsyncAlgorithms
internal import Kubernetes
internal import Logging

/// Lists and watches the objects of a resource and publishes their changes, until its task is cancelled.
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

    /// Follows the objects until the task is cancelled; returns the final state.
    func run() async -> Reflection<Object> {
        var reflection = Reflection<Object>(selection, settings)
        var generator = SystemRandomNumberGenerator()
        while !Task.isCancelled {
            let step = reflection.next(using: &generator)
            let start = ContinuousClock.now
            do throws(ReflectorProblem) {
                switch step {
                case .wait(let duration):
                    // Interrupted only by cancellation, which the loop checks.
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

    /// A server that refuses to list Nodes will not allow it while Services wait.
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

    /// The input while a streaming list or a watch is in progress.
    private enum StreamInput: Sendable {
        case bytes(WireBytes)
        case end
        /// The timer fired.
        case tick
    }

    /// Reads a streaming list or a watch to its end; returns early if no watch follows the list.
    private func watch(
        _ step: ReflectorStep, from start: ContinuousClock.Instant, _ reflection: inout Reflection<Object>
    ) async throws(ReflectorProblem) {
        guard let request = selection(reflection).request(step, of: Object.resource) else { return }
        do {
            let stream = try await open(request, step)
            var decoder = WatchDecoder<Object>(contentType: stream.contentType, maximumFrameBytes: settings.maximumFrameBytes)
            let bytes = chain(stream.map { StreamInput.bytes($0) }, [StreamInput.end].async)
            // Until the limit of a streaming list; a watch needs none.
            let isStreamList = if case .streamList = step { true } else { false }
            let ticks = AsyncTimerSequence(interval: settings.streamedListLimit / 5, clock: .continuous)
                .prefix(isStreamList ? 6 : 0).map { _ in StreamInput.tick }
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

    /// Opens a streaming list or a watch. A list has to begin within its time limit.
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

    private func take(_ chunk: WireBytes, _ decoder: inout WatchDecoder<Object>, _ reflection: inout Reflection<Object>) throws {
        let hadListed = reflection.state.hasListed
        var changes: [ClusterChange] = []
        // Changes before an error are applied and have to be published, as the next list would not report them as new.
        defer { publish(changes, reflection, hadListed: hadListed) }
        // In order: an object that fails to decode is still part of a list that ends in the same bytes.
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

    /// Aborts a streaming list that does not complete within its limit.
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
            // An expired resource version is normal.
            case .status(let status, _) where status.code == 410: .info
            default: .warning
            }
        logger.log(level: level, "List or watch failed", metadata: ["step": "\(step)", "error": "\(problem.message)"])
    }
}

/// The timing and limits of lists and watches.
public struct ReflectorSettings: Hashable, Sendable {
    /// How objects are kept up to date after a list.
    public enum Following: Hashable, Sendable {
        case watch
        /// A new list after each pause.
        case relist
        /// A watch up to this number of objects, lists beyond.
        case watchUpTo(objects: Int)

        func relists(_ objectCount: Int) -> Bool {
            switch self {
            case .watch: false
            case .relist: true
            case .watchUpTo(let limit): objectCount > limit
            }
        }

        /// The longest pause between two lists. It grows with the number of objects, so that a client reads at most two to four objects per
        /// second.
        func pause(_ objectCount: Int) -> Duration { max(.seconds(600), .milliseconds(500) * objectCount) }
    }

    /// The first delay after a failure; each further one is up to twice as long.
    public var minimumDelay: Duration
    /// The longest delay after failures, unless the server requests more.
    public var maximumDelay: Duration
    /// The longest delay that a server can request with `Retry-After`.
    public var maximumRetryAfter: Duration
    /// The requested duration of a watch in seconds: between this and twice this, so that not all end at once.
    public var watchSeconds: Int
    /// A watch that ends sooner and without an event counts as a failure.
    public var shortWatch: Duration
    /// The maximum number of objects in a page of a list.
    public var pageLimit: Int
    /// Whether to request lists as the beginning of a watch (`sendInitialEvents`).
    public var streamsLists: Bool
    /// The time limit of a streaming list; after it, a paginated list is requested.
    public var streamedListLimit: Duration
    /// How objects are followed after a list.
    public var following: Following
    /// The maximum size of an event; etcd accepts objects of 1.5 MB, which JSON and a safety factor make larger.
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
