public import Model

/// The result of applying operations.
public struct Report: Sendable {
    /// The result of flushing conntrack entries.
    public struct ConntrackFlush: Hashable, Sendable {
        /// The number of conntrack entries deleted.
        public var flows: Int
        public var duration: Duration

        public init(flows: Int = 0, duration: Duration = .zero) {
            self.flows = flows
            self.duration = duration
        }

        public static func + (lhs: ConntrackFlush, rhs: ConntrackFlush) -> ConntrackFlush {
            ConntrackFlush(flows: lhs.flows + rhs.flows, duration: lhs.duration + rhs.duration)
        }
    }

    public var failures: [OperationFailure] = []
    /// The result for each family whose conntrack entries were listed.
    public var conntrackFlushes: [IPFamily: ConntrackFlush] = [:]

    public init(failures: [OperationFailure] = []) { self.failures = failures }
}

/// An operation that failed, and the reason.
public struct OperationFailure: Hashable, Sendable, CustomStringConvertible {
    public var operation: Operation
    /// The error of the layer, including the kernel's error.
    public var reason: String
    /// Whether the kernel refused the operation itself, so that retrying it unchanged would fail again.
    public var isRefusal: Bool

    public init(_ operation: Operation, reason: String, isRefusal: Bool = false) {
        self.operation = operation
        self.reason = reason
        self.isRefusal = isRefusal
    }

    public var description: String { "\(operation): \(reason)" }
}
