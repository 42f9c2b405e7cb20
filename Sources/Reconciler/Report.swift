/// What became of a plan's operations.
public struct Report: Sendable {
    /// An operation that did not go through, and why.
    public struct Failure: Sendable, CustomStringConvertible {
        public var operation: Operation
        /// The layer's own error, with the kernel's word.
        public var reason: String
        /// The kernel will not have what was asked for, and would say the same if it were asked again.
        public var isRefusal: Bool

        public init(_ operation: Operation, reason: String, isRefusal: Bool = false) {
            self.operation = operation
            self.reason = reason
            self.isRefusal = isRefusal
        }

        public var description: String { "\(operation): \(reason)" }
    }

    public var failures: [Failure] = []

    public init(failures: [Failure] = []) { self.failures = failures }
}
