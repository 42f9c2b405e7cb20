internal import Kubernetes

/// Decides what is sent about events and when: counts those that are the same, limits those of an object, and bounds them all.
///
/// It knows neither clock nor connection: it is asked for the `next` step and told what came of it, one request at a time. The rules are
/// those of client-go's `tools/events/event_broadcaster.go`, and for the limits of `tools/record/events_cache.go`.
struct EventQueue {
    private let settings: EventSettings
    private var series: [EventKey: EventSeries] = [:]
    /// What waits to be sent, in order: what is about the node itself, and what is about objects that users make.
    private var nodeLine: [EventKey] = []
    private var objectLine: [EventKey] = []
    private var objects: ObjectLimits
    private var bucket: TokenBucket
    private var backoff: Backoff
    /// Before this, nothing is sent.
    private var notBefore: Duration = .zero
    /// Whether the next request has been paid for.
    private var hasToken = false
    /// No series is due before this.
    private var nextDue: Duration = .zero
    private var dropped = 0
    private var reportedAt: Duration?
    private var isEnding = false

    init(_ settings: EventSettings) {
        self.settings = settings
        objects = ObjectLimits(settings)
        bucket = TokenBucket(qps: settings.qps, burst: settings.burst)
        backoff = Backoff(minimum: settings.minimumDelay, maximum: settings.maximumDelay)
    }

    /// How many events are held.
    var count: Int { series.count }

    /// Whether something waits to be sent.
    var isWaiting: Bool { !nodeLine.isEmpty || !objectLine.isEmpty }

    /// An event happened; returns whether that changes the next step.
    mutating func record(_ event: ClusterEvent, at now: Duration, using generator: inout some RandomNumberGenerator) -> Bool {
        let key = EventKey(event)
        if let held = series[key], !held.isOver(at: now, settings) || held.isUnderWay {
            series[key]?.repeated(at: now)
            return enqueueIfDue(key, at: now) || isDueEarlier(key)
        }
        series[key] = nil
        guard EventName.isUsable(event.regarding), hasRoom(for: event.regarding), objects.allows(event.regarding, at: now) else {
            dropped += 1
            return false
        }
        series[key] = EventSeries(event, id: generator.next(), at: now)
        append(key)
        return true
    }

    /// What to do now. What it says to send is under way until `delivered` or `failed`.
    mutating func next(at now: Duration) -> EventStep {
        sweep(at: now)
        guard isWaiting else {
            if isEnding || series.isEmpty { return .wait(nil) }
            return .wait(nextDue - now)
        }
        if !hasToken {
            notBefore = max(notBefore, now + bucket.take(at: now))
            hasToken = true
        }
        guard now >= notBefore else { return .wait(notBefore - now) }
        hasToken = false
        let key = nodeLine.isEmpty ? objectLine.removeFirst() : nodeLine.removeFirst()
        // What is in a line is held.
        guard let held = series[key] else { return .wait(.zero) }
        return .send(EventDelivery(method: held.isCreated ? .patch : .create, key: key, series: held))
    }

    /// The server took it.
    mutating func delivered(_ delivery: EventDelivery, at now: Duration) {
        backoff.reset()
        settle(delivery, isCreated: true, at: now)
    }

    /// It came to nothing.
    mutating func failed(
        _ delivery: EventDelivery, _ failure: EventFailure, at now: Duration, using generator: inout some RandomNumberGenerator
    ) {
        // What is tried again goes to the end of its line: it may be its own fault, not the server's.
        switch failure {
        case .passing(let retryAfter):
            let delay = max(backoff.next(using: &generator), min(retryAfter ?? .zero, settings.maximumRetryAfter))
            notBefore = max(notBefore, now + delay)
            guard let tries = series[delivery.key]?.failed(), tries < settings.maximumTries else {
                dropped += 1
                return settle(delivery, isCreated: delivery.series.isCreated, at: now)
            }
            append(delivery.key)
        case .missing where delivery.method == .patch:
            backoff.reset()
            series[delivery.key]?.forget()
            append(delivery.key)
        case .missing, .refused:
            backoff.reset()
            settle(delivery, isCreated: delivery.series.isCreated, at: now)
        }
    }

    /// The end is near: what has not been told is told now, counts included.
    mutating func end() {
        isEnding = true
        for (key, held) in series where !held.isUnderWay && held.isUnreported && held.isCreated { enqueueKey(key) }
    }

    /// How many events have been dropped since this was last told; nil while that is not to be told.
    mutating func takeDropped(at now: Duration) -> Int? {
        guard dropped > 0 else { return nil }
        if let reportedAt, now - reportedAt < settings.reportInterval, !isEnding { return nil }
        defer { dropped = 0 }
        reportedAt = now
        return dropped
    }

    /// Whether there is room for one more; users' objects leave some for the node.
    private func hasRoom(for object: ObjectReference) -> Bool {
        let reserve = object.namespace.isEmpty ? settings.maximumQueued / 10 : 0
        return series.count < settings.maximumQueued + reserve
    }

    private mutating func settle(_ delivery: EventDelivery, isCreated: Bool, at now: Duration) {
        series[delivery.key]?.settle(count: delivery.series.count, isCreated: isCreated, at: now)
        _ = isDueEarlier(delivery.key)
    }

    /// Lines up what has to be told, and lets go of what is over.
    private mutating func sweep(at now: Duration) {
        guard !isEnding, now >= nextDue else { return }
        var earliest: Duration?
        for (key, held) in series where !held.isUnderWay {
            if held.isOver(at: now, settings) {
                series[key] = nil
            } else if !enqueueIfDue(key, at: now) {
                let due = held.due(settings)
                earliest = min(earliest ?? due, due)
            }
        }
        nextDue = earliest ?? now + settings.silence
    }

    /// Whether there is something to do about a series before anything else; remembers it.
    private mutating func isDueEarlier(_ key: EventKey) -> Bool {
        guard let held = series[key], !held.isUnderWay, held.due(settings) < nextDue else { return false }
        nextDue = held.due(settings)
        return true
    }

    private mutating func enqueueIfDue(_ key: EventKey, at now: Duration) -> Bool {
        guard let held = series[key], !held.isUnderWay, held.isUnreported, now >= held.due(settings) else { return false }
        enqueueKey(key)
        return true
    }

    private mutating func enqueueKey(_ key: EventKey) {
        series[key]?.isUnderWay = true
        append(key)
    }

    private mutating func append(_ key: EventKey) {
        if key.regarding.namespace.isEmpty { nodeLine.append(key) } else { objectLine.append(key) }
    }
}

/// What to do about events.
enum EventStep: Hashable {
    case send(EventDelivery)
    /// Nothing, for this long or until an event comes; nil if only an event can change that.
    case wait(Duration?)
}

/// What came of a request about an event, if not success.
enum EventFailure: Hashable {
    /// The server was not reached, was in trouble or was busy; another try may succeed.
    case passing(retryAfter: Duration?)
    /// The server does not have the event whose count was told.
    case missing
    /// The server does not want it.
    case refused
}

/// One request about an event.
struct EventDelivery: Hashable {
    enum Method: Hashable {
        /// Tells the event, with its count if that is more than one.
        case create
        /// Tells the count.
        case patch
    }

    var method: Method
    var key: EventKey
    /// The event as it was when it was its turn.
    var series: EventSeries
}

extension APIError {
    /// What a failed request says about the event; nil where the server has taken it for all that is known.
    func eventFailure(of delivery: EventDelivery) -> EventFailure? {
        switch self {
        // Only answers that say success are read.
        case .unreadable: nil
        case .access, .unreachable, .transport, .silent, .cancelled: .passing(retryAfter: nil)
        case .status(let status): status.eventFailure(of: delivery)
        }
    }
}

extension APIStatus {
    fileprivate func eventFailure(of delivery: EventDelivery) -> EventFailure? {
        switch code {
        case 404 where delivery.method == .patch: .missing
        // The try before came through, and only its answer was lost.
        case 409 where delivery.method == .create && reason == "AlreadyExists": nil
        case 408, 429, 500...: .passing(retryAfter: retryAfterSeconds.map { .seconds($0) })
        default: .refused
        }
    }
}
