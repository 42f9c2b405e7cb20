public import Reconciler

/// Random failures of operations and reads of a `FakeKernel`; the same seed gives the same ones for the same calls.
public struct RandomFaults {
    public enum Fault {
        /// The operation is not carried out.
        case refused(String)
        /// The operation is carried out, but its caller does not know.
        case acknowledgementLost
    }

    private var generator: SeededGenerator
    private let rate: Double
    private let isExempt: (Operation) -> Bool
    private var losesAcknowledgementsOnly = false

    private static let errors = [
        "resource temporarily unavailable", "interrupted system call", "no buffer space available", "cannot allocate memory",
        "device or resource busy", "file exists", "no such file or directory", "no such process", "operation not permitted",
    ]

    /// - Parameters:
    ///   - rate: the share of operations and reads that fail.
    ///   - isExempt: whether an operation never fails.
    public init(seed: UInt64, rate: Double, isExempt: @escaping (Operation) -> Bool = { _ in false }) {
        generator = SeededGenerator(seed: seed)
        self.rate = rate
        self.isExempt = isExempt
    }

    /// Every operation that `isIncluded` selects is carried out, and its acknowledgement is lost. Reads succeed.
    public static func losingAcknowledgements(of isIncluded: @escaping (Operation) -> Bool) -> RandomFaults {
        var faults = RandomFaults(seed: 0, rate: 1) { !isIncluded($0) }
        faults.losesAcknowledgementsOnly = true
        return faults
    }

    mutating func next(_ operation: Operation) -> Fault? {
        guard Double.random(in: 0..<1, using: &generator) < rate, !isExempt(operation) else { return nil }
        if losesAcknowledgementsOnly || Bool.random(using: &generator) { return .acknowledgementLost }
        return .refused(RandomFaults.errors.randomElement(using: &generator) ?? "")
    }

    mutating func failsRead() -> Bool { !losesAcknowledgementsOnly && Double.random(in: 0..<1, using: &generator) < rate }
}
