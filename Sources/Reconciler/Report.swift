/// What became of a plan's operations.
public struct Report: Sendable {
    /// An operation that did not go through, and why.
    public struct Failure: Sendable, CustomStringConvertible {
        public var operation: Operation
        /// The layer's own error, with the kernel's word.
        public var reason: String

        public init(_ operation: Operation, reason: String) {
            self.operation = operation
            self.reason = reason
        }

        public var description: String { "\(operation): \(reason)" }
    }

    public var failures: [Failure] = []

    public init(failures: [Failure] = []) { self.failures = failures }
}
