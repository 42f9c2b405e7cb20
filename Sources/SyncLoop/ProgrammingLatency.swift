internal import FoundationEssentials
internal import Kubernetes
internal import Model

/// Measures the time from the cause of an endpoint change, such as a pod becoming ready, until the change is in the kernel.
///
/// The endpoint slice controller sets the time of the cause on the slice (`endpoints.kubernetes.io/last-change-trigger-time`, RFC 3339 with
/// fractional seconds). Causes before the start of this program are ignored.
struct ProgrammingLatency {
    private struct Cause {
        var service: NamespacedName
        var times: [Date]
    }

    private let start: Date
    /// Causes recorded since the last sync with changes began, by slice.
    private var recorded: [NamespacedName: Cause] = [:]
    /// Causes whose changes are being programmed, by slice.
    private var inProgress: [NamespacedName: Cause] = [:]

    /// The number of causes kept for one slice while its changes cannot be programmed.
    private static let limit = 64

    init(since start: Date) { self.start = start }

    /// Records the change of a slice; nil stands for a slice that does not exist.
    mutating func record(_ name: NamespacedName, from before: EndpointSlice?, to slice: EndpointSlice?) {
        guard let slice, let service = slice.serviceName else {
            (recorded[name], inProgress[name]) = (nil, nil)
            return
        }
        let text = slice.metadata[.lastChangeTriggerTime]
        guard let text, text != before?.metadata[.lastChangeTriggerTime], let time = ProgrammingLatency.time(text),
            time > start
        else { return }
        var cause = recorded[name] ?? Cause(service: service, times: [])
        guard cause.times.count < ProgrammingLatency.limit else { return }
        cause.times.append(time)
        recorded[name] = cause
    }

    /// Assigns the causes recorded so far to the sync that begins. Later ones belong to the next sync.
    mutating func beginProgramming() {
        guard !recorded.isEmpty else { return }
        inProgress.merge(recorded) { waiting, new in
            Cause(service: new.service, times: Array((waiting.times + new.times).prefix(ProgrammingLatency.limit)))
        }
        recorded = [:]
    }

    /// Ends the changes in progress, except those of Services with pending operations.
    ///
    /// - Returns: the latency of each cause.
    mutating func settle(at now: Date, except pending: Set<NamespacedName>) -> [Duration] {
        guard !inProgress.isEmpty else { return [] }
        let settled = inProgress.filter { !pending.contains($0.value.service) }
        inProgress = pending.isEmpty ? [:] : inProgress.filter { pending.contains($0.value.service) }
        // Clocks of nodes differ: a cause in the future has a latency of 0.
        return settled.values.flatMap(\.times).map { .seconds(max(0, now.timeIntervalSince($0))) }
    }

    /// Returns nil if the text is not a valid time: annotations are user input.
    private static func time(_ text: String) -> Date? {
        Time(text).map { Date(timeIntervalSince1970: Double($0.secondsSince1970) + Double($0.nanoseconds) / 1e9) }
    }
}
