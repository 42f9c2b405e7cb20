internal import ServiceLifecycle
internal import Synchronization

/// Opens once; everything that waits for it continues then.
final class Gate: Sendable {
    private struct State {
        var isOpen = false
        var waiting: [AsyncStream<Never>.Continuation] = []
    }

    private let state = Mutex(State())

    init(isOpen: Bool = false) { if isOpen { open() } }

    var isOpen: Bool { state.withLock(\.isOpen) }

    func open() {
        let waiting = state.withLock { state in
            defer { state.waiting = [] }
            state.isOpen = true
            return state.waiting
        }
        for continuation in waiting { continuation.finish() }
    }

    /// Returns when the gate is open, or the task is cancelled.
    func opened() async {
        let (stream, continuation) = AsyncStream.makeStream(of: Never.self)
        let isOpen = state.withLock { state in
            if !state.isOpen { state.waiting.append(continuation) }
            return state.isOpen
        }
        guard !isOpen else { return }
        for await _ in stream {}
    }
}

/// A service that starts when a gate opens.
struct GatedService: ServiceLifecycle.Service {
    let gate: Gate
    let service: any ServiceLifecycle.Service

    init(_ service: any ServiceLifecycle.Service, after gate: Gate) {
        self.service = service
        self.gate = gate
    }

    func run() async throws {
        await cancelWhenGracefulShutdown { await gate.opened() }
        // It is closed after a shutdown.
        if gate.isOpen { try await service.run() }
    }
}
