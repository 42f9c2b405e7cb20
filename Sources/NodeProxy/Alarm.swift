/// Wakes a loop at a given time. Setting the alarm replaces the previous setting.
final class Alarm: Sendable {
    private let wake: AsyncStream<Void>.Continuation
    private let sleep: @Sendable (ContinuousClock.Instant) async throws -> Void
    private let (settings, setting) = AsyncStream.makeStream(of: ContinuousClock.Instant.self, bufferingPolicy: .bufferingNewest(1))

    /// - Parameter sleep: returns at the given time, and throws if it is cancelled.
    init(
        _ wake: AsyncStream<Void>.Continuation,
        sleep: @escaping @Sendable (ContinuousClock.Instant) async throws -> Void = { try await Task.sleep(until: $0, clock: .continuous) }
    ) {
        self.wake = wake
        self.sleep = sleep
    }

    /// Sets the alarm to go off after `duration`.
    func set(for duration: Duration) { setting.yield(.now.advanced(by: max(duration, .zero))) }

    /// Runs the alarm until the task is cancelled.
    func run() async {
        var last: Task<Void, Never>?
        for await time in settings {
            last?.cancel()
            last = Task { [wake, sleep] in
                // Cancellation means that the alarm was set again or that the proxy stops.
                guard (try? await sleep(time)) != nil else { return }
                wake.yield()
            }
        }
        last?.cancel()
    }
}
