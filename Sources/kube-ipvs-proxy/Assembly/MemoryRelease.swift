internal import Model
internal import ServiceLifecycle
internal import StatusServer
internal import Synchronization
internal import SyncLoop
internal import SystemCalls

/// Gives memory back to the kernel that glibc would keep: that of the first sync, and of large syncs and responses.
///
/// The first list and sync of a large cluster need more memory for a moment than its state does from then on. They also use code all over
/// the program file, which is released once.
final class MemoryRelease: ServiceLifecycle.Service, ProxyObserver {
    private let wakeups: AsyncStream<Void>
    private let wake: AsyncStream<Void>.Continuation
    private let requestCount = Atomic(0)
    private let isStarted = Atomic(false)

    private let quietTime: Duration
    private let releaseFreeMemory: @Sendable () -> Void
    private let releaseProgramFile: @Sendable () -> Void

    /// The number of Services or operations of a large sync.
    private static let largeSync = 1000
    /// The bytes of a large response.
    private static let largeResponse = 256 << 10

    /// - Parameter quietTime: the time without a large sync or response after which memory is released. It leaves time to write the
    ///   response.
    init(
        quietTime: Duration = .seconds(2),
        releaseFreeMemory: @escaping @Sendable () -> Void = { Allocator.releaseFreeMemory() },
        releaseProgramFile: @escaping @Sendable () -> Void = { ProgramMemory.releaseUnused() }
    ) {
        self.quietTime = quietTime
        self.releaseFreeMemory = releaseFreeMemory
        self.releaseProgramFile = releaseProgramFile
        (wakeups, wake) = AsyncStream.makeStream(of: Void.self, bufferingPolicy: .bufferingNewest(1))
    }

    func synced(_ outcome: SyncOutcome, _ status: ProxyStatus, desired: NodeState) {
        let isFirst = !isStarted.exchange(true, ordering: .relaxed)
        if isFirst || max(outcome.translated.count, outcome.operations.count) >= MemoryRelease.largeSync { request() }
    }

    /// Requests a release after a large response, and returns the response.
    func requestRelease(ifLarge response: StatusResponse) -> StatusResponse {
        if response.body.utf8.count >= MemoryRelease.largeResponse { request() }
        return response
    }

    /// The number of requested releases so far.
    var requests: Int { requestCount.load(ordering: .relaxed) }

    private func request() {
        requestCount.wrappingAdd(1, ordering: .relaxed)
        wake.yield()
    }

    func run() async throws {
        await cancelWhenGracefulShutdown {
            var done = 0
            var hasReleasedProgramFile = false
            // A wakeup may be of a request that was made during the quiet time of another.
            for await _ in self.wakeups where self.requests != done {
                repeat {
                    done = self.requests
                    // Cancellation means that the program ends.
                    guard (try? await Task.sleep(for: self.quietTime)) != nil else { return }
                } while self.requests != done
                self.releaseFreeMemory()
                guard !hasReleasedProgramFile, self.isStarted.load(ordering: .relaxed) else { continue }
                self.releaseProgramFile()
                hasReleasedProgramFile = true
            }
        }
    }
}
