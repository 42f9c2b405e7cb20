import CNetlink
import Model
import Reconciler
import SystemCalls
import Testing
import Translation

@testable import KernelDataplane
@testable import Netlink

/// The messages were recorded on Linux 6.1 (rtnetlink) and 6.12 (nf_tables); statistics of links are left out.
private func message(_ hex: String) throws -> NetlinkReply {
    let digits = Array(hex.filter { !$0.isWhitespace }.utf8)
    let bytes = stride(from: 0, to: digits.count, by: 2).compactMap {
        UInt8(String(decoding: digits[$0..<($0 + 2)], as: UTF8.self), radix: 16)
    }
    return try #require(try NetlinkReply.all(in: bytes).first)
}

@Suite struct `Announcements of rtnetlink` {
    private let address = IPAddress(v4: 0x0a60_000a)
    // Interface 2, kube-ipvs0: IFLA_IFNAME, IFLA_TXQLEN.
    private let up = "30000000 1000 0000 00000000 00000000 00000100 02000000 c3000100 01000000 0f000300 6b7562652d6970767330 0000"
    private let down = "30000000 1000 0000 00000000 00000000 00000100 02000000 82000000 01000000 0f000300 6b7562652d6970767330 0000"
    private let deleted = "30000000 1100 0000 9ece0a6b 2e030000 00000100 02000000 82000000 ffffffff 0f000300 6b7562652d6970767330 0000"
    private let added = """
        54000000 1400 0000 9bce0a6b 1c030000 02208000 02000000 08000100 0a60000a 08000200 0a60000a 0f000300 6b7562652d69707673300000
        08000800 80000000 14000600 ffffffffffffffff 9b0300009b030000
        """
    private let removed = """
        54000000 1500 0000 9bce0a6b 1e030000 02208000 02000000 08000100 0a60000a 08000200 0a60000a 0f000300 6b7562652d69707673300000
        08000800 80000000 14000600 ffffffffffffffff 9b0300009b030000
        """

    private func change(_ hex: String, device: UInt32? = 2) throws -> KernelChange? {
        var announcements = DeviceAnnouncements(device: device)
        return announcements.change(try message(hex))
    }

    @Test func `follow the device from its creation to its deletion`() throws {
        var announcements = DeviceAnnouncements(device: nil)
        #expect(announcements.change(try message(deleted)) == nil, "of another device")
        #expect(announcements.change(try message(added)) == .nodeAddresses, "of another device")
        #expect(announcements.change(try message(up)) == .device(exists: true, isUp: true))
        #expect(announcements.device == 2)
        #expect(announcements.change(try message(added)) == .address(address, isBound: true))
        #expect(announcements.change(try message(removed)) == .address(address, isBound: false))
        #expect(announcements.change(try message(down)) == .device(exists: true, isUp: false))
        #expect(announcements.change(try message(deleted)) == .device(exists: false, isUp: false))
        #expect(announcements.change(try message(deleted)) == nil)
        #expect(announcements.device == nil)
    }

    @Test func `of a device that loses its name are its deletion`() throws {
        let renamed = up.replacing("6b7562652d6970767330", with: "6b7562652d6970767331")
        #expect(try change(renamed) == .device(exists: false, isUp: false))
        #expect(try change(renamed, device: 7) == nil)
    }

    @Test func `of bridge ports are ignored`() throws {
        // The kernel sends RTM_DELLINK with AF_BRIDGE when a device leaves a bridge.
        #expect(try change(deleted.replacing("00000100 02000000", with: "07000100 02000000")) == nil)
    }

    @Test func `of addresses are of the node on other interfaces, and never of link-local ones on the device`() throws {
        #expect(try change(added, device: 7) == .nodeAddresses)
        let ofIPv6 = """
            48000000 1500 0000 00000000 00000000 0a808000 02000000 14000100 fd000096000000000000000000000010
            14000600 ffffffffffffffff e3030000e3030000 08000800 80000000
            """
        #expect(try change(ofIPv6) == .address(IPAddress("fd00:96::10")!, isBound: false))
        #expect(try change(ofIPv6.replacing("fd000096", with: "fe800000")) == nil)
        #expect(try change(ofIPv6.replacing("fd000096", with: "fe800000"), device: 7) == .nodeAddresses)
    }

    @Test func `of routes are those of the proxy over the device`() throws {
        let route = """
            3c000000 1800 0006 9cce0a6b 24030000 02200000 ff76fe02 00000000 08000f00 ff000000 08000100 0a60000b 08000600 76000000
            08000400 02000000
            """
        let destination = IPAddress(v4: 0x0a60_000b)
        #expect(try change(route) == .route(destination, LocalRoute()))
        #expect(try change(route.replacing("1800 0006", with: "1900 0000")) == .route(destination, nil))
        #expect(try change(route, device: 7) == nil)
        #expect(try change(route.replacing("ff76fe02", with: "ff02fe02")) == nil, "of the kernel")
        let ofIPv6 = """
            74000000 1900 0000 9dce0a6b 2a030000 0a800000 ff760002 00000000 08000f00 ff000000
            14000100 fd000096000000000000000000000011 08000600 76000000 08000400 02000000
            24000c00 0000000000000000000000000000000000000000000000000000000000000000 05001400 00000000
            """
        #expect(try change(ofIPv6) == .route(IPAddress("fd00:96::11")!, nil))
    }
}

@Suite struct `Announcements of nf_tables` {
    private func changes(_ hex: String, _ packetFilter: PacketFilterKind) throws -> Set<KernelChange> {
        var settings = TranslationSettings(nodeName: "node1")
        settings.packetFilter = packetFilter
        var changes: Set<KernelChange> = []
        TableAnnouncements(Translation.catalogue(settings)).addChanges(try message(hex), to: &changes)
        return changes
    }

    // NFTA_*_TABLE of kube-ipvs-proxy.
    private let table = "14000100 6b7562652d697076732d70726f787900"
    private var set: KernelChange { .set(.init("KUBE-CLUSTER-IP", in: .table(.ipv4))) }
    // NFTA_SET_ELEM_LIST_SET, NFTA_SET_ELEM_LIST_ELEMENTS
    private var elements: String {
        "\(table) 14000200 4b5542452d434c55535445522d495000 14000300 10000100 0c000100 08000100 0a60000a"
    }

    @Test func `of elements and sets name the set`() throws {
        #expect(try changes("50000000 0c0a 0004 00000000 56000000 02000004 \(elements)", .nftables) == [set])
        #expect(try changes("50000000 0e0a 0000 00000000 58000000 02000005 \(elements)", .nftables) == [set])
        let deleted = """
            68000000 0b0a 0000 01000000 62000000 0200000a \(table) 14000200 4b5542452d434c55535445522d495000
            0c001000 0000000000000001 08000400 00000007 08000500 00000004 0a000d00 000402000000 0000 04000900
            """
        #expect(try changes(deleted, .nftables) == [set])
    }

    @Test func `of elements in other families, tables and sets are ignored`() throws {
        let header = "50000000 0e0a 0000 00000000 58000000"
        #expect(try changes("\(header) 0a000005 \(elements)", .nftables) == [], "ip6 has KUBE-6-CLUSTER-IP")
        #expect(try changes("\(header) 01000005 \(elements)", .nftables) == [], "inet")
        #expect(try changes("\(header) 02000005 \(elements.replacing("6b7562652d69", with: "6b7562652d70"))", .nftables) == [])
        #expect(try changes("\(header) 02000005 \(elements.replacing("4b5542452d43", with: "4b5542452d44"))", .nftables) == [])
        #expect(try changes("\(header) 02000005 \(elements)", .iptables) == [])
    }

    @Test func `of our table are everything in it`() throws {
        let hex = "30000000 020a 0000 01000000 62000000 0200000a \(table) 08000300 00000000"
        let found = try changes(hex, .nftables)
        #expect(found.contains(.rules(.ipv4)) && found.contains(set) && !found.contains(.rules(.ipv6)))
        #expect(found.count == 1 + KubeSet.allCases.count)
    }

    @Test func `of any chain or rule in our table concern the rules`() throws {
        let chain = """
            50000000 050a 0000 01000000 60000000 02000009 \(table) 12000300 4b5542452d5345525649434553000000
            0c000200 0000000000000002 08000600 00000000
            """
        #expect(try changes(chain, .nftables) == [.rules(.ipv4)])
        // The start of a rule: its table, chain and handle.
        let rule =
            "48000000 060a 000c 01000000 5c000000 02000007 \(table) 12000200 4b5542452d5345525649434553000000 0c000300 0000000000000003"
        #expect(try changes(rule, .nftables) == [.rules(.ipv4)])
    }

    @Test(arguments: [
        ("060a", "12000200 4b5542452d5345525649434553000000", true),  // a new rule in KUBE-SERVICES
        ("080a", "12000200 4b5542452d5345525649434553000000", true),
        ("080a", "0f000200 505245524f5554494e470000", true),  // a deleted rule in PREROUTING: perhaps our jump
        ("060a", "0f000200 505245524f5554494e470000", false),
        ("060a", "12000200 4f5448452d5345525649434553000000", false),  // OTHE-SERVICES
        ("080a", "12000200 4f5448452d5345525649434553000000", false),
        ("050a", "12000300 4b5542452d5345525649434553000000", true),  // a deleted chain
        ("030a", "12000300 4b5542452d5345525649434553000000", false),  // a new chain, which is not ours before it has rules
        ("050a", "12000300 4f5448452d5345525649434553000000", false),
        ("020a", "", true),
        ("000a", "", false),
    ])
    func `in the tables of iptables-nft count if they concern our chains and jumps`(type: String, attribute: String, counts: Bool) throws {
        let body = "0000 02000000 64000000 0200000b 08000100 6e617400 \(attribute)"
        let length = (4 + 2 + body.filter { !$0.isWhitespace }.count / 2)
        let hex = "\(String(length, radix: 16))000000 \(type) \(body)"
        #expect(try changes(hex, .iptables) == (counts ? [.rules(.ipv4)] : []))
        #expect(try changes(hex, .nftables) == [])
    }

    @Test func `of a transaction are ignored`() throws {
        // NFT_MSG_NEWGEN with NFTA_GEN_ID, NFTA_GEN_PROC_PID and NFTA_GEN_PROC_NAME.
        let generation = "2c000000 0f0a 0000 01000000 52000000 00000002 08000100 00000002 08000200 00000052 08000300 6e667400"
        #expect(try changes(generation, .nftables) == [])
        #expect(try changes(generation, .iptables) == [])
    }
}

@Suite struct `The filter of notifications` {
    /// Runs the program on a message, as the kernel does (net/core/filter.c): true if the message is received.
    private func receives(_ filter: NotificationFilter, _ message: [UInt8]) -> Bool {
        var accumulator: UInt32 = 0
        let program = filter.program
        var index = 0
        while index < program.count {
            let step = program[index]
            index += 1
            let offset = Int(step.k)
            switch Int32(step.code) {
            case BPF_LD | BPF_W | BPF_ABS: accumulator = message[offset..<(offset + 4)].reduce(0) { $0 << 8 | UInt32($1) }
            case BPF_LD | BPF_H | BPF_ABS: accumulator = message[offset..<(offset + 2)].reduce(0) { $0 << 8 | UInt32($1) }
            case BPF_LD | BPF_B | BPF_ABS: accumulator = UInt32(message[offset])
            case BPF_JMP | BPF_JEQ | BPF_K: index += Int(accumulator == step.k ? step.jt : step.jf)
            case BPF_RET | BPF_K: return step.k != 0
            default:
                Issue.record("unknown instruction \(step)")
                return false
            }
        }
        Issue.record("no end")
        return false
    }

    private func message(type: UInt16, port: UInt32, routingProtocol: UInt8 = 0) -> [UInt8] {
        var bytes: [UInt8] = [28, 0, 0, 0, UInt8(type & 255), UInt8(type >> 8), 0, 0, 1, 2, 3, 4]
        bytes += (0..<4).map { UInt8(port >> ($0 * 8) & 255) }
        return bytes + [2, 32, 0, 0, 255, routingProtocol, 254, 2, 0, 0, 0, 0]
    }

    @Test func `drops what our own sockets cause`() {
        let filter = NotificationFilter(ignoringRequestsOf: [0x1234_5678, 7])
        #expect(!receives(filter, message(type: 20, port: 7)))
        #expect(!receives(filter, message(type: 20, port: 0x1234_5678)))
        #expect(receives(filter, message(type: 20, port: 0)))
        #expect(receives(filter, message(type: 20, port: 0x7856_3412)))
    }

    @Test func `drops routes of other protocols, and only routes`() {
        let filter = NotificationFilter(ignoringRequestsOf: [7], routingProtocol: 118)
        for type in [24, 25] as [UInt16] {
            #expect(receives(filter, message(type: type, port: 1, routingProtocol: 118)))
            #expect(!receives(filter, message(type: type, port: 7, routingProtocol: 118)))
            #expect(!receives(filter, message(type: type, port: 1, routingProtocol: 2)))
        }
        for type in [16, 17, 20, 21] as [UInt16] { #expect(receives(filter, message(type: type, port: 1, routingProtocol: 2))) }
    }

    @Test func `is accepted by the kernel`() throws {
        let socket = try NetlinkSocket.open(.route)
        #expect(socket.port != 0)
        try socket.attach(NotificationFilter(ignoringRequestsOf: [socket.port], routingProtocol: 118))
    }
}

@Suite struct `The watch of the kernel` {
    @Test(.timeLimit(.minutes(10)))
    func `reports everything when it starts listening, so that earlier changes are not missed, and ends with its task`() async throws {
        let catalogue = Translation.catalogue(TranslationSettings(nodeName: "node1"))
        let listener = Task {
            var reported: [[KernelChange]] = []
            for try await changes in KernelWatch(catalogue).changes() {
                reported.append(changes)
                withUnsafeCurrentTask { $0?.cancel() }
            }
            return reported
        }
        let reported = try await listener.value
        #expect(reported.count == 1)
        #expect(Set(reported.first ?? []).isSuperset(of: [.nodeAddresses, .anyOfDevice, .rules(.ipv4)]))
    }

    @Test(.timeLimit(.minutes(10))) func `stops waiting when its signal is raised`() throws {
        let stop = try StopSignal()
        #expect(!stop.isRaised(within: 1))
        stop.raise()
        #expect(stop.isRaised(within: 600_000))
        let first = try NetlinkSocket.open(.route)
        let second = try NetlinkSocket.open(.netfilter)
        #expect(try !NetlinkSocket.waitForNotifications(first, second, until: stop))
    }
}
