internal import Synchronization

/// Wakes a loop after a while: one alarm, which each setting replaces.
final class Alarm: Sendable {
    private let wake: AsyncStream<Void>.Continuation
    private let (settings, setting) = AsyncStream.makeStream(of: ContinuousClock.Instant.self, bufferingPolicy: .bufferingNewest(1))

    init(_ wake: AsyncStream<Void>.Continuation) { self.wake = wake }

    func set(for duration: Duration) { setting.yield(.now.advanced(by: max(duration, .zero))) }

    /// Until the task is cancelled.
    func run() async {
        var last: Task<Void, Never>?
        for await time in settings {
            last?.cancel()
            last = Task { [wake] in
                // Cancelled means that it was set anew, or that the proxy ends.
                guard (try? await Task.sleep(until: time, clock: .continuous)) != nil else { return }
                wake.yield()
            }
        }
        last?.cancel()
    }
}
