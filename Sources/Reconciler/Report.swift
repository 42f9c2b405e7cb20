public import Model

/// What became of operations.
public struct Report: Sendable {
    /// What forgetting flows came to.
    public struct ConntrackFlush: Hashable, Sendable {
        /// Flows that connection tracking knew and was made to forget.
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
    /// Of each family whose flows were looked at.
    public var forgetting: [IPFamily: ConntrackFlush] = [:]

    public init(failures: [OperationFailure] = []) { self.failures = failures }
}

/// An operation that did not succeed, and why.
public struct OperationFailure: Hashable, Sendable, CustomStringConvertible {
    public var operation: Operation
    /// The layer's own error, with the kernel's word.
    public var reason: String
    /// The kernel does not accept what was asked for, and would say the same if it were asked again.
    public var isRefusal: Bool

    public init(_ operation: Operation, reason: String, isRefusal: Bool = false) {
        self.operation = operation
        self.reason = reason
        self.isRefusal = isRefusal
    }

    public var description: String { "\(operation): \(reason)" }
}
