import Kubernetes
import Testing

@testable import KubernetesAPI

/// Invariants for random Events and answers.
struct EventQueuePropertyTests {
    private struct Seeded: RandomNumberGenerator {
        var state: UInt64

        mutating func next() -> UInt64 {
            state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
            return state ^ (state >> 29)
        }
    }

    private static let settings = EventSettings(objectBurst: 5, objectRefill: .seconds(100), maximumQueued: 30)

    /// Records Events about a few objects for hours, in bursts and with pauses; returns their number.
    private func recordForHours(_ run: inout EventRun, _ random: inout Seeded) -> Int {
        var recorded = 0
        for _ in 0..<400 {
            for _ in 0..<Int.random(in: 0...8, using: &random) {
                let name = "web\(Int.random(in: 0..<60, using: &random))"
                run.record(.about(name, reason: "R\(Int.random(in: 0..<9, using: &random))"))
                recorded += 1
            }
            if Bool.random(using: &random) {
                run.record(.note("a"))
                recorded += 1
            }
            _ = run.advance(by: .seconds([0, 1, 20, 100, 700].randomElement(using: &random) ?? 0))
            #expect(run.queue.count <= 33)
        }
        return recorded
    }

    @Test(arguments: 1...20 as ClosedRange<UInt64>)
    func `Every Event is counted or dropped, and none is kept forever`(seed: UInt64) {
        var random = Seeded(state: seed)
        var run = EventRun(Self.settings)
        let recorded = recordForHours(&run, &random)
        _ = run.advance(by: .seconds(10_000))
        #expect(run.queue.count == 0)
        var counts: [UInt64: Int] = [:]
        for delivery in run.deliveries {
            // Counts only increase, and an Event is created before it is patched.
            #expect(delivery.series.count > counts[delivery.series.id, default: 0])
            #expect((delivery.method == .create) == (counts[delivery.series.id] == nil))
            counts[delivery.series.id] = delivery.series.count
        }
        #expect(counts.values.reduce(0, +) + (run.queue.takeDropped(at: run.now) ?? 0) == recorded)
    }

    @Test(arguments: 1...20 as ClosedRange<UInt64>)
    func `Whatever the server answers, requests are rate-limited and finite`(seed: UInt64) {
        var random = Seeded(state: seed)
        var run = EventRun(Self.settings)
        run.answer = { delivery in
            switch (delivery.series.id ^ UInt64(delivery.series.count) &+ UInt64(delivery.series.tries)) % 5 {
            case 0: .transient(retryAfter: nil)
            case 1: .transient(retryAfter: .seconds(3))
            case 2: .refused
            case 3: .missing
            default: nil
            }
        }
        _ = recordForHours(&run, &random)
        _ = run.advance(by: .seconds(20_000))
        #expect(run.queue.count == 0)
        for (index, time) in run.times.enumerated() where index >= 20 {
            #expect(time - run.times[index - 20] >= .seconds(10) - .milliseconds(1))
        }
        #expect(run.deliveries.allSatisfy { $0.series.tries < 12 })
        let series = Dictionary(grouping: run.deliveries.filter { $0.method == .create }, by: \.key.regarding)
            .mapValues { Set($0.map(\.series.id)).count }
        #expect(series.values.allSatisfy { $0 <= 5 + Int(run.now / .seconds(100)) })
    }
}
