import Model
import Testing

@testable import KernelDataplane

@Suite struct TimeoutAuditTests {
    private func timeouts(_ tcp: Int, _ tcpFin: Int, _ udp: Int) -> IPVSTimeouts {
        IPVSTimeouts(tcp: .seconds(tcp), tcpFin: .seconds(tcpFin), udp: .seconds(udp))
    }

    @Test func `Externally changed timeouts are reported once per value, unless they are not configured`() {
        var audit = TimeoutAudit(wanted: timeouts(7200, 0, 77))
        #expect(audit.check(timeouts(7200, 120, 77)) == nil)
        #expect(audit.check(timeouts(7200, 5, 77)) == nil, "left to the kernel")
        #expect(audit.check(timeouts(7200, 120, 78)) == timeouts(7200, 120, 78))
        #expect(audit.check(timeouts(7200, 120, 78)) == nil)
        #expect(audit.check(timeouts(900, 120, 78)) == timeouts(900, 120, 78))
        #expect(audit.check(timeouts(7200, 120, 77)) == nil, "set again")
        #expect(audit.check(timeouts(900, 120, 78)) == timeouts(900, 120, 78))
    }
}
