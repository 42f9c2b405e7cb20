internal import FoundationEssentials
public import Kubernetes
public import Logging
internal import Synchronization

/// Puts events into the API server, in its own time: what is recorded waits in a queue that has a limit, and `run` sends it.
public final class APIEventRecorder: EventRecorder {
    private struct State {
        var queue: EventQueue
        var generator = SystemRandomNumberGenerator()
        var isEnding = false
        /// The refusals that the log has told.
        var reported: Set<RefusedEvent> = []
    }

    private struct RefusedEvent: Hashable {
        var code: Int
        var method: EventDelivery.Method
    }

    private let client: APIClient
    private let settings: EventSettings
    private let identities: ServiceIdentities
    private let writer: EventWriter
    private let logger: Logger
    private let start = ContinuousClock.now
    private let state: Mutex<State>
    private let wakeups: AsyncStream<Void>
    private let wake: AsyncStream<Void>.Continuation

    /// The client stays the caller's to close, once `run` has returned. Events come from `kube-proxy-HOSTNAME`.
    ///
    /// - Parameter identities: names Services by their uid as well.
    public init(
        _ client: APIClient, hostname: String, identities: ServiceIdentities = ServiceIdentities(),
        settings: EventSettings = EventSettings(),
        logger: Logger
    ) {
        self.identities = identities
        self.client = client
        self.settings = settings
        self.logger = logger
        writer = EventWriter(hostname: hostname)
        state = Mutex(State(queue: EventQueue(settings)))
        (wakeups, wake) = AsyncStream.makeStream(of: Void.self, bufferingPolicy: .bufferingNewest(1))
    }

    public func record(_ event: ClusterEvent) {
        let isNews = state.withLock { $0.queue.record(event, at: now, using: &$0.generator) }
        if isNews { wake.yield() }
    }

    /// Sends events until the task is cancelled, and then for a moment what is left; for one caller.
    public func run() async {
        // A task of its own: what is left is sent by a task that is not cancelled.
        let work = Task { await deliver() }
        await withTaskCancellationHandler {
            await work.value
        } onCancel: {
            end()
            Task {
                // Nobody cancels this one.
                try? await Task.sleep(for: settings.flushTime)
                work.cancel()
            }
        }
        reportDropped()
    }

    private var now: Duration { .now - start }

    private func end() {
        state.withLock { state in
            state.isEnding = true
            state.queue.end()
        }
        wake.yield()
    }

    private func deliver() async {
        var wakeups = wakeups.makeAsyncIterator()
        while !Task.isCancelled {
            let (step, isEnding) = state.withLock { ($0.queue.next(at: now), $0.isEnding) }
            switch step {
            case .send(let delivery): await send(delivery)
            case .wait(let duration) where isEnding && (duration ?? settings.flushTime) >= settings.flushTime: return
            case .wait(let duration):
                let timer = duration.map { duration in
                    Task {
                        // Cut short only when nobody waits for it any more.
                        try? await Task.sleep(for: duration)
                        if !Task.isCancelled { wake.yield() }
                    }
                }
                _ = await wakeups.next()
                timer?.cancel()
            }
            reportDropped()
        }
    }

    private func send(_ delivery: EventDelivery) async {
        let request: APIRequest
        do {
            request = try writer.request(
                for: delivery, uid: identities.uid(of: delivery.series.event.regarding), at: now, wall: MicroTime.now)
        } catch {
            return failed(delivery, .refused, error)
        }
        do {
            try await send(request)
        } catch {
            let error = APIError(transport: error)
            if let failure = error.eventFailure(of: delivery) { return failed(delivery, failure, error) }
        }
        state.withLock { $0.queue.delivered(delivery, at: now) }
    }

    /// Sends a request, for no longer than a request may take: an answer that does not come must not hold up the others for minutes.
    private func send(_ request: APIRequest) async throws {
        try await withThrowingTaskGroup { group in
            group.addTask { _ = try await self.client.send(request) }
            group.addTask {
                try await Task.sleep(for: self.settings.requestTimeLimit)
                throw APIError.silent
            }
            defer { group.cancelAll() }
            try await group.next()
        }
    }

    private func failed(_ delivery: EventDelivery, _ failure: EventFailure, _ error: any Error) {
        state.withLock { $0.queue.failed(delivery, failure, at: now, using: &$0.generator) }
        var level = Logger.Level.debug
        if failure == .refused, shouldReport(delivery, error) { level = .warning }
        logger.log(
            level: level, "Failed to record Event",
            metadata: [
                "event": "\(delivery.series.event.reason)", "failure": "\(failure)", "error": "\(error)",
            ])
    }

    /// Whether the log has not told a refusal of this kind yet; in a namespace that is going away nothing else is to be expected.
    private func shouldReport(_ delivery: EventDelivery, _ error: any Error) -> Bool {
        var code = 0
        if case APIError.status(let status) = error {
            if status.code == 403, status.message.contains("being terminated") { return false }
            code = status.code
        }
        return state.withLock { $0.reported.insert(RefusedEvent(code: code, method: delivery.method)).inserted }
    }

    private func reportDropped() {
        guard let dropped = state.withLock({ $0.queue.takeDropped(at: now) }) else { return }
        logger.warning("Dropped Events; queue full or delivery failed", metadata: ["events": "\(dropped)"])
    }
}

extension MicroTime {
    fileprivate static var now: MicroTime { MicroTime(microsecondsSince1970: Int64(Date().timeIntervalSince1970 * 1_000_000)) }
}

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
    public var maximumQueued: Int
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
        maximumQueued: Int = 1000, qps: Double = 1, burst: Int = 10, maximumTries: Int = 12, minimumDelay: Duration = .seconds(1),
        maximumDelay: Duration = .seconds(20), maximumRetryAfter: Duration = .seconds(120), requestTimeLimit: Duration = .seconds(30),
        flushTime: Duration = .milliseconds(1500), reportInterval: Duration = .seconds(60)
    ) {
        self.silence = silence
        self.refresh = refresh
        self.objectBurst = objectBurst
        self.objectRefill = objectRefill
        self.maximumQueued = maximumQueued
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

/// Writes requests about events in the name of one proxy.
struct EventWriter {
    private let instance: String

    init(hostname: String) {
        // The API takes 128 bytes, and a hostname is ASCII.
        instance = String("kube-proxy-\(hostname)".prefix(128))
    }

    /// The request, given what clock and wall say now: what the wall said when it happened may have been wrong.
    ///
    /// - Parameter uid: the object's, without which `kubectl describe` does not show the event.
    func request(for delivery: EventDelivery, uid: String? = nil, at now: Duration, wall: MicroTime) throws -> APIRequest {
        let series = delivery.series
        let object = series.event.regarding
        let namespace = EventName.namespace(for: object)
        let name = EventName.name(for: object, id: series.id)
        let path = "/apis/events.k8s.io/v1/namespaces/\(namespace)/events"
        let count = EventJSON.Series(count: series.count, lastObservedTime: wall.before(now - series.last).text)
        switch delivery.method {
        case .create:
            let event = EventJSON(
                metadata: .init(name: name, namespace: namespace), eventTime: wall.before(now - series.first).text,
                type: series.event.type.rawValue, reason: series.event.reason, action: series.event.action,
                regarding: .init(object, uid: uid),
                note: series.event.note, reportingInstance: instance, series: series.count > 1 ? count : nil)
            return APIRequest(.post, path, body: .init(try EventJSON.bytes(event), contentType: "application/json"))
        case .patch:
            let patch = try EventJSON.bytes(EventJSON.SeriesPatch(series: count))
            return APIRequest(
                .patch, "\(path)/\(name)", body: .init(patch, contentType: "application/strategic-merge-patch+json"))
        }
    }
}
