import Logging
import Synchronization
import SystemPackage
import Testing

@testable import KernelDataplane

@Suite struct `Probe retries` {
    @Test func `double their delay up to ten seconds and never end`() {
        let pauses = (1...8).map { ProbeRetries.endless.pause(after: $0, elapsed: .seconds(1_000_000)) }
        #expect(
            pauses == [.milliseconds(500), .seconds(1), .seconds(2), .seconds(4), .seconds(8), .seconds(10), .seconds(10), .seconds(10)])
        #expect(ProbeRetries.endless.pause(after: .max, elapsed: .zero) == .seconds(10))
    }

    @Test func `of a command end when the next attempt would exceed the limit`() {
        let retries = ProbeRetries(limit: .seconds(30))
        #expect(retries.pause(after: 4, elapsed: .seconds(26)) == .seconds(4))
        #expect(retries.pause(after: 4, elapsed: .milliseconds(26001)) == nil)
        #expect(ProbeRetries(limit: .zero).pause(after: 1, elapsed: .zero) == nil)
    }
}

@Suite struct `A probe` {
    private static let held = DataplaneError("iptables-legacy-restore", "another program holds the xtables lock", isTemporary: true)

    /// The reports and requested delays of a probe.
    private final class Record: Sendable {
        let reports = Mutex<[Probing.PendingProbe?]>([])
        let pauses = Mutex<[Duration]>([])

        func probing(_ retries: ProbeRetries = .endless, pause: (@Sendable () throws -> Void)? = nil) -> Probing {
            Probing(
                retries, Logger(label: "test") { _ in SwiftLogNoOpLogHandler() },
                report: { report in self.reports.withLock { $0.append(report) } },
                pause: { duration in
                    self.pauses.withLock { $0.append(duration) }
                    try pause?()
                })
        }

        /// Fails `failures` times, then succeeds.
        func ask(_ probing: Probing, failures: Int, _ error: DataplaneError = held) async throws -> Int {
            var asked = 0
            return try await probing.run("iptables") {
                asked += 1
                if asked <= failures { throw error }
                return asked
            }
        }
    }

    @Test func `that succeeds at once reports nothing`() async throws {
        let record = Record()
        #expect(try await record.ask(record.probing(), failures: 0) == 1)
        #expect(record.reports.withLock(\.self).isEmpty && record.pauses.withLock(\.self).isEmpty)
    }

    @Test func `that fails temporarily is retried until it succeeds, and reports each attempt`() async throws {
        let record = Record()
        #expect(try await record.ask(record.probing(), failures: 100) == 101)
        let reports = record.reports.withLock(\.self)
        #expect(reports.count == 101 && reports.last == .some(nil))
        #expect(reports[6]?.description == "iptables: iptables-legacy-restore: another program holds the xtables lock (attempt 7)")
        #expect(record.pauses.withLock(\.count) == 100)
    }

    @Test func `that fails permanently stops the startup at once`() async {
        let record = Record()
        let refusal = DataplaneError("iptables", "permission denied")
        await #expect(throws: refusal) { try await record.ask(record.probing(), failures: 1, refusal) }
        #expect(record.pauses.withLock(\.self).isEmpty)
    }

    @Test func `of a command gives up with the reason and the number of attempts`() async {
        let record = Record()
        let error = await #expect(throws: DataplaneError.self) {
            try await record.ask(record.probing(ProbeRetries(limit: .zero)), failures: .max)
        }
        #expect(error?.isTemporary == false, "callers must not retry it")
        #expect(error?.reason == "another program holds the xtables lock; gave up after 1 attempts")
    }

    @Test(arguments: [nil, .seconds(60), .zero] as [Duration?])
    func `of an optional feature always gives up`(limit: Duration?) async {
        let record = Record()
        let probing = record.probing(ProbeRetries(limit: limit)).limited(to: .zero)
        let error = await #expect(throws: DataplaneError.self) { try await record.ask(probing, failures: .max) }
        #expect(error?.isTemporary == false && record.pauses.withLock(\.self).isEmpty)
    }

    @Test func `of an optional feature does not outlast the limit of a command`() async {
        let record = Record()
        let probing = record.probing(ProbeRetries(limit: .zero)).limited(to: .seconds(30))
        await #expect(throws: DataplaneError.self) { try await record.ask(probing, failures: .max) }
        #expect(record.pauses.withLock(\.self).isEmpty)
    }

    @Test func `ends when its task is cancelled, while waiting and while running`() async {
        let record = Record()
        let waiting = record.probing { throw CancellationError() }
        await #expect(throws: CancellationError.self) { try await record.ask(waiting, failures: .max) }
        #expect(record.pauses.withLock(\.count) == 1)
        let asking = Task {
            try await record.probing().run("iptables") {
                // A program terminated with the task fails without output.
                withUnsafeCurrentTask { $0?.cancel() }
                throw Self.held
            }
        }
        await #expect(throws: CancellationError.self) { try await asking.value }
    }
}

@Suite struct `A system error` {
    @Test(arguments: [(Errno.tooManyOpenFiles, true), (.noMemory, true), (.permissionDenied, false), (.readOnlyFileSystem, false)])
    func `names its request and whether it is temporary`(errno: Errno, isTemporary: Bool) {
        let error = DataplaneError("sysctl net.ipv4.ip_forward", errno, what: "failed to read", advice: "run as root")
        #expect(error.isTemporary == isTemporary)
        #expect(error.reason == "failed to read: \(errno): run as root")
    }
}
