import Model
import Synchronization
import Testing

@testable import KernelDataplane
@testable import Netlink

/// Kernel settings in memory.
private final class MemorySysctls: SysctlStore, Sendable {
    private let values: Mutex<[String: String]>
    private let noted = Mutex<[String: String]>([:])
    private let readOnly: Set<String>

    init(_ values: [String: String], readOnly: Set<String> = []) {
        self.values = Mutex(values)
        self.readOnly = readOnly
    }

    /// Changes a setting as another program would.
    func changeExternally(_ name: String, _ value: String) { values.withLock { $0[name] = value } }

    var now: [String: String] { values.withLock { $0 } }
    var before: [String: String] { noted.withLock { $0 } }

    func read(_ sysctl: Sysctl) throws(DataplaneError) -> String? { values.withLock { $0[sysctl.name] } }

    func write(_ sysctl: Sysctl, _ value: String) throws(DataplaneError) {
        guard !readOnly.contains(sysctl.name) else { throw DataplaneError("sysctl -w \(sysctl.name)=\(value)", "Permission denied") }
        values.withLock { $0[sysctl.name] = value }
    }

    func note(_ sysctl: Sysctl, was value: String) throws(DataplaneError) { noted.withLock { $0[sysctl.name] = value } }

    func outcomes(_ settings: [KernelSetting]) throws -> [SettingOutcome] {
        var outcomes: [SettingOutcome] = []
        try apply(settings) { outcomes.append($0) }
        return outcomes
    }
}

private let all = ConntrackSettings(
    maxPerCore: 32768, min: 131072, tcpEstablishedTimeout: .seconds(86400), tcpCloseWaitTimeout: .milliseconds(3600_900),
    tcpBeLiberal: true,
    udpTimeout: .seconds(30), udpStreamTimeout: .seconds(180))

@Suite struct `Kernel settings` {
    @Test(arguments: [
        (0, 0, 4, 0), (67890, 1, 4, 271560), (67890, 1, 64, 1_048_576), (1, 123_456, 4, 123_456), (0, 123_456, 4, 0),
        (32768, 0, 512, 1_048_576), (32768, 2_000_000, 512, 1_048_576), (32768, 2_000_000, 4, 2_000_000), (.max, 0, 2, 1_048_576),
    ])
    func `I6: limit the number of tracked connections`(perCore: Int, least: Int, processors: Int, expected: Int) {
        #expect(KernelSetting.conntrackMaximum(ConntrackSettings(maxPerCore: perCore, min: least), processors: processors) == expected)
    }

    @Test func `I7: for connection tracking follow the configuration, in whole seconds`() {
        #expect(KernelSetting.conntrack(ConntrackSettings(), processors: 4).isEmpty)
        #expect(
            KernelSetting.conntrack(all, processors: 8).map { "\($0.sysctl.name)=\($0.value)" } == [
                "net.netfilter.nf_conntrack_max=262144", "net.netfilter.nf_conntrack_buckets=65536",
                "net.netfilter.nf_conntrack_tcp_timeout_established=86400", "net.netfilter.nf_conntrack_tcp_timeout_close_wait=3600",
                "net.netfilter.nf_conntrack_tcp_be_liberal=1", "net.netfilter.nf_conntrack_udp_timeout=30",
                "net.netfilter.nf_conntrack_udp_timeout_stream=180",
            ])
        #expect(
            KernelSetting.conntrack(ConntrackSettings(min: 5, udpTimeout: .seconds(30)), processors: 8).map(\.sysctl.name)
                == ["net.netfilter.nf_conntrack_udp_timeout"])
    }

    @Test func `I7: for connection tracking that cannot be written are reported, and the others are written`() throws {
        let kernel = MemorySysctls(
            ["net.netfilter.nf_conntrack_max": "1000", "net.netfilter.nf_conntrack_udp_timeout": "120"],
            readOnly: ["net.netfilter.nf_conntrack_max"])
        let outcomes = try kernel.outcomes(
            KernelSetting.conntrack(ConntrackSettings(maxPerCore: 32768, udpTimeout: .seconds(30)), processors: 1))
        #expect(
            outcomes == [
                .refused(DataplaneError("sysctl -w net.netfilter.nf_conntrack_max=32768", "Permission denied")),
                .missing(Sysctl("net.netfilter.nf_conntrack_buckets")),
                .changed(Sysctl("net.netfilter.nf_conntrack_udp_timeout"), from: "120", to: "30"),
            ])
    }

    @Test func `I7: that Services need cause an error if they cannot be written`() {
        for name in ["net.ipv4.ip_forward", "net.ipv4.vs.expire_nodest_conn"] {
            let kernel = MemorySysctls(
                [
                    "net.ipv4.vs.conntrack": "0", "net.ipv4.vs.expire_nodest_conn": "0", "net.ipv4.vs.expire_quiescent_template": "0",
                    "net.ipv4.ip_forward": "0",
                ], readOnly: [name])
            #expect(throws: DataplaneError("sysctl -w \(name)=1", "Permission denied")) {
                try kernel.outcomes(KernelSetting.ipvs(strictARP: false))
            }
        }
        #expect(throws: DataplaneError.self) {
            try MemorySysctls([:]).outcomes(KernelSetting.ipvs(strictARP: false))
        }
    }

    @Test func `are written only if they differ, after saving their previous values`() throws {
        let kernel = MemorySysctls([
            "net.ipv4.vs.conntrack": "0", "net.ipv4.vs.expire_nodest_conn": "1", "net.ipv4.ip_forward": "1",
            "net.netfilter.nf_conntrack_buckets": "65536",
        ])
        let settings =
            KernelSetting.ipvs(strictARP: false) + KernelSetting.conntrack(all, processors: 4)
        let outcomes = try kernel.outcomes(settings)
        #expect(outcomes.contains(.changed(Sysctl("net.ipv4.vs.conntrack"), from: "0", to: "1")))
        #expect(outcomes.contains(.missing(Sysctl("net.ipv4.vs.expire_quiescent_template"))))
        #expect(kernel.before == ["net.ipv4.vs.conntrack": "0"])
        // More buckets than needed are left unchanged.
        #expect(kernel.now["net.netfilter.nf_conntrack_buckets"] == "65536")
        #expect(try kernel.outcomes(settings).allSatisfy { if case .missing = $0 { true } else { false } })
    }

    @Test func `for strict ARP are added only if needed`() {
        func names(_ strictARP: Bool) -> [String] {
            KernelSetting.ipvs(strictARP: strictARP).dropFirst(4).map { "\($0.sysctl.name)=\($0.value)" }
        }
        #expect(names(false).isEmpty)
        #expect(names(true) == ["net.ipv4.conf.all.arp_ignore=1", "net.ipv4.conf.all.arp_announce=2"])
    }
}

@Suite struct `Externally changed settings` {
    private let wanted =
        KernelSetting.ipvs(strictARP: false)
        + KernelSetting.conntrack(ConntrackSettings(maxPerCore: 1000, tcpEstablishedTimeout: .seconds(60)), processors: 1)

    private func kernel(readOnly: Set<String> = []) -> MemorySysctls {
        MemorySysctls(Dictionary(uniqueKeysWithValues: wanted.map { ($0.sysctl.name, $0.value) }), readOnly: readOnly)
    }

    @Test func `are repaired each time if Services need them, and their saved values stay unchanged`() {
        let kernel = kernel()
        var audit = SettingsAudit(wanted)
        #expect(audit.check(kernel).isEmpty)
        for _ in 0..<2 {
            kernel.changeExternally("net.ipv4.ip_forward", "0")
            #expect(audit.check(kernel) == [.repaired(Sysctl("net.ipv4.ip_forward"), from: "0", to: "1")])
            #expect(kernel.now["net.ipv4.ip_forward"] == "1" && kernel.before.isEmpty)
        }
    }

    @Test func `are reported once and kept if the operator may change them`() {
        let kernel = kernel()
        var audit = SettingsAudit(wanted)
        let name = "net.netfilter.nf_conntrack_tcp_timeout_established"
        kernel.changeExternally(name, "90")
        #expect(audit.check(kernel) == [.changed(Sysctl(name), to: "90", wanted: "60")])
        #expect(audit.check(kernel).isEmpty && kernel.now[name] == "90")
        kernel.changeExternally(name, "91")
        #expect(audit.check(kernel) == [.changed(Sysctl(name), to: "91", wanted: "60")])
        kernel.changeExternally("net.netfilter.nf_conntrack_buckets", "9999")
        #expect(audit.check(kernel).isEmpty, "more than the minimum is valid")
    }

    @Test func `are reported once if they cannot be repaired`() {
        let name = "net.ipv4.vs.conntrack"
        let kernel = kernel(readOnly: [name])
        var audit = SettingsAudit(wanted)
        kernel.changeExternally(name, "0")
        let refusal = DataplaneError("sysctl -w \(name)=1", "Permission denied")
        #expect(audit.check(kernel) == [.failed(refusal)])
        #expect(audit.check(kernel).isEmpty)
        kernel.changeExternally(name, "1")
        #expect(audit.check(kernel).isEmpty)
        kernel.changeExternally(name, "0")
        #expect(audit.check(kernel) == [.failed(refusal)], "it was correct in between")
    }
}

@Suite struct `IPVS timeouts` {
    @Test func `are set only if they differ from the kernel's, and 0 means unset`() {
        let current = IPVSTimeouts(tcp: .seconds(900), tcpFin: .seconds(120), udp: .seconds(300))
        #expect(!IPVSTimeouts().differs(from: current))
        #expect(!IPVSTimeouts(tcp: .milliseconds(900_400), udp: .seconds(300)).differs(from: current))
        #expect(IPVSTimeouts(udp: .seconds(301)).differs(from: current))
    }

    @Test func `are saved in the format of ipvsadm`() {
        let timeouts = IPVSTimeouts(tcp: .seconds(900), tcpFin: .seconds(120), udp: .seconds(300))
        #expect(timeouts.seconds == "900 120 300" && IPVSTimeouts(seconds: "900 120 300\n") == timeouts)
        for broken in ["", "900 120", "900 120 -1", "a b c", "1 2 3 4"] { #expect(IPVSTimeouts(seconds: broken) == nil, "\(broken)") }
    }

    @Test func `are set in one message, in whole seconds, with 0 for those to keep`() throws {
        let timeouts = IPVSTimeouts(tcp: .seconds(7200), tcpFin: .milliseconds(90_900))
        let expected = """
            2c000000 1f00 0100 00000000 00000000
            0c 01 0000
            0800 0400 201c0000
            0800 0500 5a000000
            0800 0600 00000000
            """
        let bytes = try IPVSMessages(family: 0x1f).setConfig(timeouts).bytes()
        #expect(bytes.map { ($0 < 16 ? "0" : "") + String($0, radix: 16) }.joined() == expected.filter { !$0.isWhitespace })
    }
}
