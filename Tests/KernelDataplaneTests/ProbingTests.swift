import Logging
import Synchronization
import SystemPackage
import Testing

@testable import KernelDataplane

@Suite struct `A probe's retries` {
    @Test func `waits twice as long each time, up to ten seconds, for ever`() {
        let pauses = (1...8).map { ProbeRetries.endless.pause(after: $0, elapsed: .seconds(1_000_000)) }
        #expect(
            pauses == [.milliseconds(500), .seconds(1), .seconds(2), .seconds(4), .seconds(8), .seconds(10), .seconds(10), .seconds(10)])
        #expect(ProbeRetries.endless.pause(after: .max, elapsed: .zero) == .seconds(10))
    }

    @Test func `of a command ends where the next attempt would come too late`() {
        let retries = ProbeRetries(limit: .seconds(30))
        #expect(retries.pause(after: 4, elapsed: .seconds(26)) == .seconds(4))
        #expect(retries.pause(after: 4, elapsed: .milliseconds(26001)) == nil)
        #expect(ProbeRetries(limit: .zero).pause(after: 1, elapsed: .zero) == nil)
    }
}

@Suite struct `A probe` {
    private static let held = DataplaneError("iptables-legacy-restore", "another program holds the xtables lock", isTemporary: true)

    /// What a probe reported and how long it would have waited.
    private final class Record: Sendable {
        let reports = Mutex<[Probing.Unanswered?]>([])
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

        /// Fails `failures` times, then answers.
        func ask(_ probing: Probing, failures: Int, _ error: DataplaneError = held) async throws -> Int {
            var asked = 0
            return try await probing.answer("iptables") {
                asked += 1
                if asked <= failures { throw error }
                return asked
            }
        }
    }

    @Test func `that is answered at once reports nothing`() async throws {
        let record = Record()
        #expect(try await record.ask(record.probing(), failures: 0) == 1)
        #expect(record.reports.withLock(\.self).isEmpty && record.pauses.withLock(\.self).isEmpty)
    }

    @Test func `that could not be carried out is repeated until it is answered, and reported each time`() async throws {
        let record = Record()
        #expect(try await record.ask(record.probing(), failures: 100) == 101)
        let reports = record.reports.withLock(\.self)
        #expect(reports.count == 101 && reports.last == .some(nil))
        #expect(reports[6]?.description == "iptables: iptables-legacy-restore: another program holds the xtables lock (attempt 7)")
        #expect(record.pauses.withLock(\.count) == 100)
    }

    @Test func `that is answered with a failure ends the start at once`() async {
        let record = Record()
        let refusal = DataplaneError("iptables", "permission denied")
        await #expect(throws: refusal) { try await record.ask(record.probing(), failures: 1, refusal) }
        #expect(record.pauses.withLock(\.self).isEmpty)
    }

    @Test func `of a command gives up, and says why and after how many attempts`() async {
        let record = Record()
        let error = await #expect(throws: DataplaneError.self) {
            try await record.ask(record.probing(ProbeRetries(limit: .zero)), failures: .max)
        }
        #expect(error?.isTemporary == false, "nobody else is to retry it")
        #expect(error?.reason == "another program holds the xtables lock; gave up after 1 attempts")
    }

    @Test(arguments: [nil, .seconds(60), .zero] as [Duration?])
    func `of what the program can do without gives up in any case`(limit: Duration?) async {
        let record = Record()
        let probing = record.probing(ProbeRetries(limit: limit)).limited(to: .zero)
        let error = await #expect(throws: DataplaneError.self) { try await record.ask(probing, failures: .max) }
        #expect(error?.isTemporary == false && record.pauses.withLock(\.self).isEmpty)
    }

    @Test func `of a command is no more patient where the program can do without`() async {
        let record = Record()
        let probing = record.probing(ProbeRetries(limit: .zero)).limited(to: .seconds(30))
        await #expect(throws: DataplaneError.self) { try await record.ask(probing, failures: .max) }
        #expect(record.pauses.withLock(\.self).isEmpty)
    }

    @Test func `ends as soon as its task is cancelled, while it waits and while it asks`() async {
        let record = Record()
        let waiting = record.probing { throw CancellationError() }
        await #expect(throws: CancellationError.self) { try await record.ask(waiting, failures: .max) }
        #expect(record.pauses.withLock(\.count) == 1)
        let asking = Task {
            try await record.probing().answer("iptables") {
                // A program that is ended with the task fails, and says nothing.
                withUnsafeCurrentTask { $0?.cancel() }
                throw Self.held
            }
        }
        await #expect(throws: CancellationError.self) { try await asking.value }
    }
}

@Suite struct `An error of the system` {
    @Test(arguments: [(Errno.tooManyOpenFiles, true), (.noMemory, true), (.permissionDenied, false), (.readOnlyFileSystem, false)])
    func `says with its request whether it may pass`(errno: Errno, isTemporary: Bool) {
        let error = DataplaneError("sysctl net.ipv4.ip_forward", errno, what: "failed to read", advice: "run as root")
        #expect(error.isTemporary == isTemporary)
        #expect(error.reason == "failed to read: \(errno): run as root")
    }
}
