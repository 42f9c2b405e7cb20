import Testing
import SystemCalls

@testable import KernelDataplane
@testable import Netlink

@Suite struct `The watch for addresses` {
    @Test(.timeLimit(.minutes(10)))
    func `reports a change once when it starts listening, so that earlier changes are not missed, and ends with its task`()
        async throws
    {
        let listener = Task {
            var reported = 0
            for try await _ in AddressWatch.changes() {
                reported += 1
                withUnsafeCurrentTask { $0?.cancel() }
            }
            return reported
        }
        #expect(try await listener.value == 1)
    }

    @Test(.timeLimit(.minutes(10))) func `stops waiting when its signal is raised`() throws {
        let stop = try StopSignal()
        #expect(!stop.isRaised(within: 1))
        stop.raise()
        #expect(stop.isRaised(within: 600_000))
        let socket = try NetlinkSocket.open(.route)
        let notification = try socket.notifications(until: stop)
        #expect(notification?.count == nil)
    }
}
