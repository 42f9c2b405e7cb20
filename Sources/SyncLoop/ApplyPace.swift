internal import Model
internal import Reconciler

/// How many operations one step may contain, so that a change of another Service never waits long for the end of a step.
///
/// The time that an operation takes depends on the kernel, its load and the layer, so it is measured.
struct ApplyPace: Sendable {
    /// How long operations may go on before changes of other Services get their turn.
    let turn: Duration
    /// Batches have fixed costs: a transaction of nf_tables, for example.
    private let smallest: Int
    private static let largest = 2048
    /// Of smaller batches, fixed costs are the largest part.
    private static let smallestMeasured = 64
    /// High, as an unknown kernel may be slow: then the first step is short.
    private static let firstCost = Duration.microseconds(200)

    private var costs: [Operation.Layer: Duration] = [:]
    private var start: (layer: Operation.Layer, count: Int, time: Timestamp)?

    init(turn: Duration, smallest: Int) {
        self.turn = turn
        self.smallest = smallest
    }

    /// The expected time of one operation.
    func cost(_ layer: Operation.Layer) -> Duration { costs[layer] ?? ApplyPace.firstCost }

    /// The maximum number of operations in one step.
    ///
    /// Conntrack entries are listed once for all operations of a step, so these are not divided.
    func limit(_ layer: Operation.Layer) -> Int {
        guard layer != .flows else { return .max }
        return max(smallest, min(ApplyPace.largest, Int(turn / cost(layer))))
    }

    mutating func begin(_ layer: Operation.Layer, _ count: Int, at now: Timestamp) { start = (layer, count, now) }

    /// Records the time since `begin`. One slow step, in which something else had the processor, counts for half.
    mutating func end(at now: Timestamp) {
        guard let (layer, count, time) = start else { return }
        start = nil
        guard count >= min(ApplyPace.smallestMeasured, smallest) else { return }
        let measured = max(time.duration(to: now) / count, .nanoseconds(100))
        costs[layer] = costs[layer].map { ($0 + measured) / 2 } ?? measured
    }
}
