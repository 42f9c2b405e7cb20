import Synchronization
import Testing

@testable import NodeProxy

/// Counts the tasks that sleep.
private final class Sleepers: Sendable {
    private let counts = Mutex((begun: 0, sleeping: 0))
    var begun: Int { counts.withLock(\.begun) }
    var sleeping: Int { counts.withLock(\.sleeping) }

    func sleep() async throws {
        counts.withLock { $0 = ($0.begun + 1, $0.sleeping + 1) }
        defer { counts.withLock { $0.sleeping -= 1 } }
        try await Task.sleep(for: .seconds(3600))
    }
}

@Suite struct `An alarm` {
    private func eventually(_ condition: () -> Bool) async throws -> Bool {
        for _ in 0..<1000 {
            if condition() { return true }
            try await Task.sleep(for: .milliseconds(5))
        }
        return false
    }

    @Test func `replaces the previous one, so that at most one task sleeps`() async throws {
        let sleepers = Sleepers()
        let (_, wake) = AsyncStream.makeStream(of: Void.self)
        let alarm = Alarm(wake) { _ in try await sleepers.sleep() }
        let task = Task { await alarm.run() }
        for number in 1...20 {
            alarm.set(for: .seconds(3600))
            #expect(try await eventually { sleepers.begun == number })
        }
        #expect(try await eventually { sleepers.sleeping == 1 })
        task.cancel()
        await task.value
        #expect(try await eventually { sleepers.sleeping == 0 })
    }
}
