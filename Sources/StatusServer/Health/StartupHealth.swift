internal import Synchronization

/// What `/healthz` and `/livez` go by from the first moment of the program: what the start waits for, and once the proxy is assembled its status board.
public final class StartupHealth: Sendable {
    private enum Phase {
        case starting(waitingFor: String?)
        case started(StatusBoard)
    }

    private let phase: Mutex<Phase>
    /// Without a Node object, as with manifests, nothing can be said against the node.
    private let expectsNode: Bool

    public init(expectsNode: Bool) {
        self.expectsNode = expectsNode
        phase = Mutex(.starting(waitingFor: nil))
    }

    /// - Parameter reason: what the start waits for; nil while it goes on.
    public func wait(for reason: String?) {
        phase.withLock { phase in
            guard case .starting = phase else { return }
            phase = .starting(waitingFor: reason)
        }
    }

    /// From now on the board counts.
    public func start(_ board: StatusBoard) { phase.withLock { $0 = .started(board) } }

    /// Nil while the program starts.
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
