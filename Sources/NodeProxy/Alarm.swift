/// Wakes a loop after a while: one alarm, which each setting replaces.
final class Alarm: Sendable {
    private let wake: AsyncStream<Void>.Continuation
    private let sleep: @Sendable (ContinuousClock.Instant) async throws -> Void
    private let (settings, setting) = AsyncStream.makeStream(of: ContinuousClock.Instant.self, bufferingPolicy: .bufferingNewest(1))

    /// - Parameter sleep: returns at that time, and throws when it is cancelled.
    init(
        _ wake: AsyncStream<Void>.Continuation,
        sleep: @escaping @Sendable (ContinuousClock.Instant) async throws -> Void = { try await Task.sleep(until: $0, clock: .continuous) }
    ) {
        self.wake = wake
        self.sleep = sleep
    }

    func set(for duration: Duration) { setting.yield(.now.advanced(by: max(duration, .zero))) }

    /// Until the task is cancelled.
    func run() async {
        var last: Task<Void, Never>?
        for await time in settings {
            last?.cancel()
            last = Task { [wake, sleep] in
                // Cancelled means that it was set anew, or that the proxy ends.
                guard (try? await sleep(time)) != nil else { return }
                wake.yield()
            }
        }
        last?.cancel()
    }
}
