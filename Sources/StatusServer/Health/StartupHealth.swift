internal import Synchronization

/// The source of `/healthz` and `/livez`: what startup waits for and, once the proxy is assembled, its status board.
public final class StartupHealth: Sendable {
    private enum Phase {
        case starting(waitingFor: String?)
        case started(StatusBoard)
    }

    private let phase: Mutex<Phase>
    /// Whether a Node object is expected; if not, as with manifests, the node is eligible without one.
    private let expectsNode: Bool

    public init(expectsNode: Bool) {
        self.expectsNode = expectsNode
        phase = Mutex(.starting(waitingFor: nil))
    }

    /// - Parameter reason: What startup waits for; nil if nothing.
    public func wait(for reason: String?) {
        phase.withLock { phase in
            guard case .starting = phase else { return }
            phase = .starting(waitingFor: reason)
        }
    }

    /// Uses the board from now on.
    public func start(_ board: StatusBoard) { phase.withLock { $0 = .started(board) } }

    /// The status board; nil during startup.
    var board: StatusBoard? {
        guard case .started(let board) = phase.withLock(\.self) else { return nil }
        return board
    }

    var health: Health {
        switch phase.withLock(\.self) {
        case .started(let board): return board.health
        case .starting(let reason):
            var health = Health(limit: .zero)
            health.waitingFor = reason
            return health
        }
    }

    var isNodeEligible: Bool { board?.isNodeEligible ?? !expectsNode }
}
