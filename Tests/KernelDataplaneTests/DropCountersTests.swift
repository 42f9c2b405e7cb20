import Model
import Testing

@testable import KernelDataplane

private let firewall = Rules.Chain(.filter, "KUBE-PROXY-FIREWALL")
private let ranges = Rules.Chain(.filter, "KUBE-SOURCE-RANGES-FIREWALL")

@Suite struct `Dropped packets` {
    private var tally = DropCounters()

    @Test mutating func `are counted from the first reading on`() {
        tally.read([firewall: 100], of: .ipv4)
        #expect(tally.totals[.ipv4]?[firewall] ?? 0 == 0)
        tally.read([firewall: 103, ranges: 2], of: .ipv4)
        tally.read([firewall: 103, ranges: 5], of: .ipv4)
        #expect(tally.totals == [.ipv4: [firewall: 3, ranges: 5]])
    }

    @Test mutating func `only increase, even if the kernel's counters are reset`() {
        tally.read([firewall: 0], of: .ipv6)
        tally.read([firewall: 10], of: .ipv6)
        tally.read([firewall: 4], of: .ipv6)
        #expect(tally.totals == [.ipv6: [firewall: 14]])
    }

    @Test mutating func `are kept when rules are restored, with higher counters or none`() {
        tally.read([firewall: 0], of: .ipv4)
        tally.read([firewall: 10], of: .ipv4)
        #expect(tally.isCounting(.ipv4) && !tally.isCounting(.ipv6))
        tally.restart(.ipv4)
        tally.read([firewall: 15], of: .ipv4)
        #expect(tally.totals == [.ipv4: [firewall: 25]])
        tally.restart(.ipv4)
        tally.read([:], of: .ipv4)
        #expect(tally.totals == [.ipv4: [firewall: 25]] && !tally.isCounting(.ipv4))
    }
}
