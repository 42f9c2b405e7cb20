import Model
import TestSupport
import Testing

@testable import KernelDataplane
@testable import Netlink

private func hex(_ bytes: some Sequence<UInt8>) -> String { bytes.map { ($0 < 16 ? "0" : "") + String($0, radix: 16) }.joined() }

private func joined(_ parts: String...) -> String { parts.joined().filter { !$0.isWhitespace } }

private func bytes(_ parts: String...) -> [UInt8] {
    let digits = Array(parts.joined().filter { !$0.isWhitespace })
    return stride(from: 0, to: digits.count, by: 2).map { UInt8(String(digits[$0..<$0 + 2]), radix: 16) ?? 0 }
}

private func location(_ address: String, _ port: UInt16) throws -> AddressPort {
    AddressPort(try #require(IPAddress(address)), port)
}

/// Linux 6.1's entry for a masqueraded datagram from 10.244.1.12:40000 to 10.96.0.10:53 that IPVS sent to 10.244.1.10:5353.
private let translatedFlow = bytes(
    "a4000000 0001 0200 00000000 00000000",  // nlmsghdr: NFNL_SUBSYS_CTNETLINK << 8 | IPCTNL_MSG_CT_NEW, NLM_F_MULTI
    "02 00 0000",  // nfgenmsg: AF_INET
    "3400 0180",  // TUPLE_ORIG
    "1400 0180 0800 0100 0af4010c 0800 0200 0a60000a",  // IP: V4_SRC, V4_DST
    "1c00 0280 0500 0100 11000000 0600 0200 9c40 0000 0600 0300 0035 0000",  // PROTO: NUM, SRC_PORT, DST_PORT
    "3400 0280",  // TUPLE_REPLY
    "1400 0180 0800 0100 0af4010a 0800 0200 0af40101",
    "1c00 0280 0500 0100 11000000 0600 0200 14e9 0000 0600 0300 9c40 0000",
    "0800 0300 0000018e",  // STATUS
    "0800 0700 0000001d",  // TIMEOUT
    "0600 1200 0007 0000",  // ZONE 7
    "0800 0c00 deadbeef",  // ID
    "0800 0b00 00000001"  // USE
)

private func reply(_ datagram: [UInt8]) throws -> NetlinkReply { try #require(NetlinkReply.all(in: datagram).first) }

@Suite struct `Conntrack requests` {
    @Test func `to dump contain the destination address and port and a filter on both`() throws {
        #expect(
            hex(try ConntrackMessages.dump(.ipv4, .destination(.udp, try location("10.96.0.10", 53))).bytes())
                == joined(
                    "44000000 0101 0103 00000000 00000000",  // nlmsghdr: IPCTNL_MSG_CT_GET, NLM_F_REQUEST | NLM_F_DUMP
                    "02 00 0000",  // nfgenmsg: AF_INET
                    "2400 0180",  // TUPLE_ORIG
                    "0c00 0180 0800 0200 0a60000a",  // IP: V4_DST
                    "1400 0280 0500 0100 11000000 0600 0300 0035 0000",  // PROTO: NUM 17, DST_PORT 53
                    "0c00 1980 0800 0100 2a000000"  // FILTER: ORIG_FLAGS IP_DST | PROTO_NUM | PROTO_DST_PORT
                ))
    }

    /// Kernels dump all entries except those to an IPv6 address in the filter.
    @Test func `to dump IPv6 entries filter by port only`() throws {
        #expect(
            hex(try ConntrackMessages.dump(.ipv6, .destination(.udp, try location("fd00:96::10", 53))).bytes())
                == joined(
                    "38000000 0101 0103 00000000 00000000", "0a 00 0000",  // AF_INET6
                    "1800 0180 1400 0280 0500 0100 11000000 0600 0300 0035 0000",  // TUPLE_ORIG: PROTO: NUM 17, DST_PORT 53
                    "0c00 1980 0800 0100 28000000"  // FILTER: ORIG_FLAGS PROTO_NUM | PROTO_DST_PORT
                ))
    }

    @Test func `to dump entries of many destinations filter by protocol only`() throws {
        #expect(
            hex(try ConntrackMessages.dump(.ipv4, .transport(.udp)).bytes())
                == joined(
                    "30000000 0101 0103 00000000 00000000", "02 00 0000",
                    "1000 0180 0c00 0280 0500 0100 11000000",  // TUPLE_ORIG: PROTO: NUM 17
                    "0c00 1980 0800 0100 08000000"  // FILTER: ORIG_FLAGS PROTO_NUM
                ))
        #expect(hex(try ConntrackMessages.dump(.ipv4, .none).bytes()) == joined("14000000 0101 0103 00000000 00000000", "02 00 0000"))
    }

    @Test func `to delete identify exactly one entry as the kernel reported it`() throws {
        let flow = try #require(ConntrackFlow(try reply(translatedFlow)))
        #expect(
            hex(try ConntrackMessages.delete(flow).bytes())
                == joined(
                    "58000000 0201 0100 00000000 00000000",  // nlmsghdr: IPCTNL_MSG_CT_DELETE
                    "02 00 0000",
                    "3400 0180",  // TUPLE_ORIG: without it all entries would be deleted
                    "1400 0180 0800 0100 0af4010c 0800 0200 0a60000a",
                    "1c00 0280 0500 0100 11000000 0600 0200 9c40 0000 0600 0300 0035 0000",
                    "0600 1200 0007 0000",  // ZONE 7
                    "0800 0c00 deadbeef"  // ID
                ))
    }

    @Test func `to count entries load the module`() throws {
        #expect(hex(try ConntrackMessages.count().bytes()) == joined("14000000 0501 0500 00000000 00000000", "00 00 0000"))
    }
}

@Suite struct `Conntrack answers` {
    @Test func `contain the destination and the replying address of an entry`() throws {
        let flow = try #require(ConntrackFlow(try reply(translatedFlow)))
        #expect(flow.family == .ipv4 && flow.transport == .udp)
        #expect(flow.destination == (try location("10.96.0.10", 53)))
        #expect(flow.replySource == (try location("10.244.1.10", 5353)))
        #expect(flow.zone == 7 && flow.id == [0xde, 0xad, 0xbe, 0xef])
    }

    @Test func `with IPv4-mapped IPv6 addresses are ignored`() throws {
        func flow(_ network: String) -> [UInt8] {
            let ports = "1c00 0280 0500 0100 11000000 0600 0200 9c40 0000 0600 0300 0035 0000"
            let addresses = "2c00 0180 1400 0300 \(network)0af4010c 1400 0400 \(network)0a60000a"
            return bytes(
                "b4000000 0001 0200 00000000 00000000", "0a 00 0000", "4c00 0180", addresses, ports, "4c00 0280", addresses, ports,
                "0800 0c00 deadbeef")
        }
        #expect(ConntrackFlow(try reply(flow("fd0000960000000000000000")))?.destination == (try location("fd00:96::a60:a", 53)))
        #expect(ConntrackFlow(try reply(flow("00000000000000000000ffff"))) == nil)
    }

    @Test func `that lack an attribute or have no ports are ignored`() throws {
        // Changes the type of each attribute in turn to an unknown one.
        for attribute in [20, 24, 28, 36, 44, 48, 56, 64, 72, 76, 80, 88, 96, 100, 108, 116, 148] {
            var changed = translatedFlow
            changed[attribute + 2] = 0x3f
            #expect(ConntrackFlow(try reply(changed)) == nil, "attribute at \(attribute)")
        }
        var icmp = translatedFlow
        icmp[52] = 1
        #expect(ConntrackFlow(try reply(icmp)) == nil)
        var other = translatedFlow
        other[4] = 2
        #expect(ConntrackFlow(try reply(other)) == nil, "another message")
    }

    @Test(arguments: 0..<200 as Range<UInt64>) func `that are malformed are parsed without reading out of bounds`(seed: UInt64) throws {
        var generator = SeededGenerator(seed: seed)
        for _ in 0..<50 {
            var datagram = translatedFlow
            for _ in 0..<Int.random(in: 1...8, using: &generator) {
                // The header stays valid.
                datagram[Int.random(in: 16..<datagram.count, using: &generator)] = UInt8.random(in: 0...255, using: &generator)
            }
            datagram.removeLast(Int.random(in: 0...(datagram.count - 16), using: &generator))
            let payload = datagram.dropFirst(16)
            let header = try reply(translatedFlow).header
            guard let flow = ConntrackFlow(NetlinkReply(header: header, payload: payload)) else { continue }
            #expect(!flow.tuple.isEmpty && flow.id.count == 4 && flow.destination.address.family == flow.family)
            #expect(try !ConntrackMessages.delete(flow).bytes().isEmpty)
        }
    }
}
