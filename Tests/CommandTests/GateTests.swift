import ServiceLifecycle
import Synchronization
import Testing

@testable import kube_ipvs_proxy

@Suite struct `A service behind a gate` {
    private struct Counter: ServiceLifecycle.Service {
        let runs: Atomic<Int>.Box
        func run() async throws { runs.value.wrappingAdd(1, ordering: .relaxed) }
    }

    @Test func `starts when the gate opens, however many wait for it`() async throws {
        let gate = Gate()
        let box = Atomic<Int>.Box()
        try await withThrowingDiscardingTaskGroup { group in
            for _ in 0..<10 { group.addTask { try await GatedService(Counter(runs: box), after: gate).run() } }
            try await Task.sleep(for: .milliseconds(50))
            #expect(box.value.load(ordering: .relaxed) == 0)
            gate.open()
            gate.open()
        }
        #expect(box.value.load(ordering: .relaxed) == 10)
        try await GatedService(Counter(runs: box), after: gate).run()
        #expect(box.value.load(ordering: .relaxed) == 11)
    }

    @Test func `does not start if the program ends before`() async throws {
        let gate = Gate()
        let box = Atomic<Int>.Box()
        let task = Task { try await GatedService(Counter(runs: box), after: gate).run() }
        task.cancel()
        try await task.value
        #expect(box.value.load(ordering: .relaxed) == 0)
    }
}

extension Atomic where Value == Int {
    fileprivate final class Box: Sendable { let value = Atomic<Int>(0) }
}
