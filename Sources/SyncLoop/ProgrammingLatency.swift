internal import FoundationEssentials
internal import Kubernetes
internal import Model

/// How long changes of endpoints take from what caused them, such as a pod becoming ready, to the kernel.
///
/// The endpoint slice controller writes the time of the cause on the slice (`endpoints.kubernetes.io/last-change-trigger-time`, RFC 3339 with fractions of a
/// second). What happened before this program started was not for it to be quick about, and does not count.
struct ProgrammingLatency {
    private struct Cause {
        var service: NamespacedName
        var times: [Date]
    }

    private let start: Date
    /// What was noted and is not being programmed yet, by slice.
    private var noted: [NamespacedName: Cause] = [:]
    /// What is being programmed.
    private var causes: [NamespacedName: Cause] = [:]

    /// While nothing can be programmed, so many causes of a slice are remembered.
    private static let limit = 64

    init(since start: Date) { self.start = start }

    /// A slice changed; nil is one that is not there.
    mutating func note(_ name: NamespacedName, from before: EndpointSlice?, to slice: EndpointSlice?) {
        guard let slice, let service = slice.serviceName else {
            (noted[name], causes[name]) = (nil, nil)
            return
        }
        let text = slice.metadata[.lastChangeTriggerTime]
        guard let text, text != before?.metadata[.lastChangeTriggerTime], let time = ProgrammingLatency.time(text),
            time > start
        else { return }
        var cause = noted[name] ?? Cause(service: service, times: [])
        guard cause.times.count < ProgrammingLatency.limit else { return }
        cause.times.append(time)
        noted[name] = cause
    }

    /// A sync takes over what was noted: what is noted from now on is for the next.
    mutating func take() {
        guard !noted.isEmpty else { return }
        causes.merge(noted) { waiting, new in
            Cause(service: new.service, times: Array((waiting.times + new.times).prefix(ProgrammingLatency.limit)))
        }
        noted = [:]
    }

    /// What was taken over is in the kernel now, but for Services of which something is left to do: how long each took.
    mutating func settle(at now: Date, except undone: Set<NamespacedName>) -> [Duration] {
        guard !causes.isEmpty else { return [] }
        let settled = causes.filter { !undone.contains($0.value.service) }
        causes = undone.isEmpty ? [:] : causes.filter { undone.contains($0.value.service) }
        // Clocks of different nodes differ: what seems to have happened later than now took no time.
        return settled.values.flatMap(\.times).map { .seconds(max(0, now.timeIntervalSince($0))) }
    }

    /// Nil for what is no time: an annotation is anybody's to write.
    private static func time(_ text: String) -> Date? {
        Time(text).map { Date(timeIntervalSince1970: Double($0.secondsSince1970) + Double($0.nanoseconds) / 1e9) }
    }
}
