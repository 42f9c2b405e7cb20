internal import Model
internal import ServiceLifecycle
internal import StatusServer
internal import Synchronization
internal import SyncLoop
internal import SystemCalls

/// Gives the memory that the first sync, large syncs and responses needed back to the kernel soon after them. glibc would keep it: the first
/// list and sync of a large cluster need more memory for a moment than its state does from then on. The start also uses code all over the
/// program file.
final class MemoryRelease: ServiceLifecycle.Service, ProxyObserver {
    private let requests: AsyncStream<Void>
    private let wake: AsyncStream<Void>.Continuation
    private let isStarted = Atomic(false)

    /// The number of Services or operations of a large sync.
    private static let largeSync = 1000
    /// The bytes of a large response.
    private static let largeResponse = 256 << 10
    /// Leaves time to write a response, and joins requests that follow each other.
    private static let delay = Duration.seconds(2)

    init() { (requests, wake) = AsyncStream.makeStream(of: Void.self, bufferingPolicy: .bufferingNewest(1)) }

    func synced(_ outcome: SyncOutcome, _ status: ProxyStatus, desired: NodeState) {
        let isFirst = !isStarted.exchange(true, ordering: .relaxed)
        if isFirst || max(outcome.translated.count, outcome.operations.count) >= MemoryRelease.largeSync { wake.yield() }
    }

    /// Passes on a response.
    func afterSending(_ response: StatusResponse) -> StatusResponse {
        if response.body.utf8.count >= MemoryRelease.largeResponse { wake.yield() }
        return response
    }

    func run() async throws {
        await cancelWhenGracefulShutdown {
            for await _ in self.requests {
                // Cancellation means that the program ends.
                try? await Task.sleep(for: MemoryRelease.delay)
                Allocator.releaseFreeMemory()
                ProgramMemory.releaseUnused()
            }
        }
    }
}
