internal import FoundationEssentials
public import Kubernetes
public import Logging
internal import Synchronization

/// Sends events to the API server asynchronously: `record` adds them to a bounded queue, and `run` sends them.
public final class APIEventRecorder: EventRecorder {
    private struct State {
        var queue: EventQueue
        var generator = SystemRandomNumberGenerator()
        var isEnding = false
        /// The rejections that have been logged.
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

    /// The caller closes the client, once `run` has returned. Events are reported by `kube-proxy-HOSTNAME`.
    ///
    /// - Parameter identities: supplies the uids of Services.
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
        let changesNextStep = state.withLock { $0.queue.record(event, at: now, using: &$0.generator) }
        if changesNextStep { wake.yield() }
    }

    /// Sends events until the task is cancelled, then flushes the queue for a moment; for a single caller.
    public func run() async {
        // A separate task, so that the flush is not cancelled.
        let work = Task { await deliver() }
        await withTaskCancellationHandler {
            await work.value
        } onCancel: {
            end()
            Task {
                // This task is never cancelled.
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
                        // Interrupted only when the timer is no longer needed.
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

    /// Sends a request within the request time limit, so that a missing response does not delay the other events for minutes.
    private func send(_ request: APIRequest) async throws {
        try await withThrowingTaskGroup { group in
            group.addTask { _ = try await self.client.send(request) }
            group.addTask {
                try await Task.sleep(for: self.settings.requestTimeLimit)
                throw APIError.timedOut
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

    /// Whether this kind of rejection has not been logged yet; false in a terminating namespace, where rejections are expected.
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

/// How events are counted, limited and sent; the values are those of client-go (`tools/events`, `tools/record`) where it has them.
public struct EventSettings: Hashable, Sendable {
    /// How long after its last occurrence an event is over.
    public var seriesTimeout: Duration
    /// The minimum interval between updates of the count of an event, after the first repetition is reported.
    public var refresh: Duration
    /// The number of different events that an object can have at once.
    public var objectBurst: Int
    /// How long until an object can have one more.
    public var objectRefill: Duration
    /// The maximum number of events held, queued or counting; further ones are dropped. Events about the node have a tenth more room.
    public var maximumQueued: Int
    /// Requests per second on average.
    public var qps: Double
    /// Requests at once.
    public var burst: Int
    /// The maximum number of attempts to send an event.
    public var maximumTries: Int
    /// The first delay after a failure; each further one is up to twice as long.
    public var minimumDelay: Duration
    /// The longest delay after failures, unless the server requests more.
    public var maximumDelay: Duration
    /// The longest delay that a server can request with `Retry-After`.
    public var maximumRetryAfter: Duration
    /// The time limit of a request.
    public var requestTimeLimit: Duration
    /// The time limit for flushing the queue at shutdown.
    public var flushTime: Duration
    /// The minimum interval between log messages about dropped events.
    public var reportInterval: Duration

    public init(
        seriesTimeout: Duration = .seconds(360), refresh: Duration = .seconds(1800), objectBurst: Int = 25,
        objectRefill: Duration = .seconds(300),
        maximumQueued: Int = 1000, qps: Double = 1, burst: Int = 10, maximumTries: Int = 12, minimumDelay: Duration = .seconds(1),
        maximumDelay: Duration = .seconds(20), maximumRetryAfter: Duration = .seconds(120), requestTimeLimit: Duration = .seconds(30),
        flushTime: Duration = .milliseconds(1500), reportInterval: Duration = .seconds(60)
    ) {
        self.seriesTimeout = seriesTimeout
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

/// Builds Event requests on behalf of one proxy.
struct EventWriter {
    private let instance: String

    init(hostname: String) {
        // The API allows 128 bytes, and a hostname is ASCII.
        instance = String("kube-proxy-\(hostname)".prefix(128))
    }

    /// Builds the request. Times derive from the current uptime and wall clock, as the wall clock may have been wrong at the time of the
    /// event.
    ///
    /// - Parameter uid: the uid of the object, without which `kubectl describe` does not show the event.
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
