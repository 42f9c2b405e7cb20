import Model
import Testing

@testable import KernelDataplane
@testable import Netlink

private func hex(_ bytes: some Sequence<UInt8>) -> String { bytes.map { ($0 < 16 ? "0" : "") + String($0, radix: 16) }.joined() }

private func joined(_ parts: String...) -> String { parts.joined().filter { !$0.isWhitespace } }

private let messages = IPVSMessages(family: 0x1f)

private func identity(_ transport: Transport, _ address: String, _ port: UInt16) throws -> VirtualServer.Identity {
    VirtualServer.Identity(transport, AddressPort(try #require(IPAddress(address)), port))
}

@Suite struct `IPVS requests` {
    @Test func `to add a virtual server contain all its settings`() throws {
        let server = VirtualServer(try identity(.tcp, "10.96.0.10", 80), scheduler: .roundRobin, flags: [.persistent], timeout: 10800)
        #expect(
            hex(try messages.newService(server).bytes())
                == joined(
                    "5c000000 1f00 0100 00000000 00000000",  // nlmsghdr: NLM_F_REQUEST
                    "01 01 0000",  // genlmsghdr: IPVS_CMD_NEW_SERVICE, version 1
                    "4800 0180",  // IPVS_CMD_ATTR_SERVICE, nested
                    "0600 0100 0200 0000",  // AF AF_INET
                    "0600 0200 0600 0000",  // PROTOCOL TCP
                    "0800 0300 0a60000a",  // ADDR 10.96.0.10
                    "0600 0400 0050 0000",  // PORT 80, network order
                    "0700 0600 727200 00",  // SCHED_NAME rr
                    "0c00 0700 01000000 ffffffff",  // FLAGS: persistent; the mask covers all flags
                    "0800 0800 302a0000",  // TIMEOUT 10800
                    "0800 0900 ffffffff"  // NETMASK of a host
                ))
    }

    @Test func `to add a virtual server contain the prefix length for client affinity`() throws {
        var server = VirtualServer(try identity(.udp, "10.96.0.10", 53), flags: [.persistent, .onePacket], timeout: 60, affinityPrefix: 20)
        #expect(
            hex(try messages.newService(server).bytes()).hasSuffix(
                joined(
                    "0c00 0700 05000000 ffffffff",  // FLAGS: persistent, one packet
                    "0800 0800 3c000000",  // TIMEOUT 60
                    "0800 0900 fffff000"  // NETMASK 255.255.240.0, network order
                )))
        server = VirtualServer(try identity(.udp, "fd00::1", 53), flags: [.persistent], timeout: 60, affinityPrefix: 64)
        #expect(hex(try messages.newService(server).bytes()).hasSuffix(joined("0800 0900 40000000")), "a length")
    }

    @Test func `to add a real server contain its thresholds`() throws {
        let server = RealServer(AddressPort(try #require(IPAddress("10.244.0.2")), 8080), upperThreshold: 100, lowerThreshold: 80)
        #expect(
            hex(try messages.newDestination(server, of: try identity(.tcp, "10.96.0.10", 80)).bytes()).hasSuffix(
                joined(
                    "0800 0400 01000000",  // WEIGHT 1
                    "0800 0500 64000000",  // U_THRESH
                    "0800 0600 50000000"  // L_THRESH
                )))
    }

    @Test func `to add a real server contain both servers`() throws {
        let server = RealServer(AddressPort(try #require(IPAddress("fd00::2")), 8080), weight: 3)
        #expect(
            hex(try messages.newDestination(server, of: try identity(.sctp, "fd00::1", 9)).bytes())
                == joined(
                    "8c000000 1f00 0100 00000000 00000000", "05 01 0000",  // IPVS_CMD_NEW_DEST
                    "3000 0180",  // IPVS_CMD_ATTR_SERVICE
                    "0600 0100 0a00 0000",  // AF AF_INET6
                    "0600 0200 8400 0000",  // PROTOCOL 132
                    "1400 0300 fd000000000000000000000000000001",  // ADDR
                    "0600 0400 0009 0000",  // PORT 9
                    "4800 0280",  // IPVS_CMD_ATTR_DEST
                    "1400 0100 fd000000000000000000000000000002",  // ADDR
                    "0600 0200 1f90 0000",  // PORT 8080
                    "0600 0b00 0a00 0000",  // ADDR_FAMILY
                    "0800 0300 00000000",  // FWD_METHOD masquerade
                    "0800 0400 03000000",  // WEIGHT 3
                    "0800 0500 00000000",  // U_THRESH
                    "0800 0600 00000000"  // L_THRESH
                ))
    }

    @Test func `to delete contain only the identity`() throws {
        #expect(
            hex(try messages.deleteService(try identity(.udp, "10.96.0.10", 53)).bytes())
                == joined(
                    "38000000 1f00 0100 00000000 00000000", "03 01 0000",  // IPVS_CMD_DEL_SERVICE
                    "2400 0180", "0600 0100 0200 0000", "0600 0200 1100 0000", "0800 0300 0a60000a", "0600 0400 0035 0000"))
    }

    @Test func `to dump have the dump flag`() throws {
        #expect(hex(try messages.dumpServices().bytes()) == joined("14000000 1f00 0103 00000000 00000000", "04 01 0000"))
    }
}

@Suite struct `IPVS answers` {
    private func reply(_ message: borrowing NetlinkMessage) throws -> NetlinkReply {
        try #require(NetlinkReply.all(in: try message.bytes()).first)
    }

    @Test func `yield a virtual server as it was encoded`() throws {
        let server = VirtualServer(try identity(.tcp, "10.96.0.10", 80), scheduler: .maglevHash, flags: [.hashPort, .hashFallback])
        let service = try #require(IPVSService(try reply(messages.newService(server))))
        #expect(service.virtualServer == server)
        for (address, prefix) in [("10.96.0.10", 1), ("10.96.0.10", 24), ("10.96.0.10", 32), ("fd00::1", 1), ("fd00::1", 128)]
            as [(String, UInt8)]
        {
            let shared = VirtualServer(try identity(.tcp, address, 80), flags: [.persistent], timeout: 60, affinityPrefix: prefix)
            let answer = try reply(messages.newService(shared))
            #expect(IPVSService(answer)?.virtualServer == shared)
        }
        #expect(service.netmask == .max)
    }

    @Test func `yield a real server as it was encoded, with no connections`() throws {
        let server = RealServer(AddressPort(try #require(IPAddress("fd00::2")), 8080), weight: 3, upperThreshold: 9, lowerThreshold: 4)
        let found = try #require(
            IPVSDestination(try reply(messages.newDestination(server, of: try identity(.tcp, "fd00::1", 80))), serviceFamily: .ipv6))
        #expect(found.realServer.hasSameConfiguration(as: server))
        #expect(found.connections.isIdle)
    }

    @Test func `without mandatory attributes are ignored`() throws {
        #expect(IPVSService(try reply(messages.dumpServices())) == nil)
        #expect(IPVSDestination(try reply(messages.dumpServices()), serviceFamily: .ipv4) == nil)
    }

    @Test func `may have the kernel's 16-byte addresses`() throws {
        var message = try NetlinkMessage(type: 0x1f)
        message.putHeader(UInt32(0x0000_0105))
        message.nest(2) { message in
            message.put(1, bytes: [10, 244, 0, 5] + Array(repeating: 0, count: 12))
            message.put(2, networkU16: 8080)
            message.put(11, u16: 2)
            message.put(7, u32: 4)
            message.put(8, u32: 5)
        }
        let found = try #require(IPVSDestination(try reply(message), serviceFamily: .ipv4))
        #expect(found.location.description == "10.244.0.5:8080")
        #expect(found.connections == RealServer.Connections(active: 4, inactive: 5))
    }
}

@Suite struct `ipset requests and answers` {
    private func members() throws -> [(AddressSetType, AddressSet.Member)] {
        let v4 = AddressPort(try #require(IPAddress("10.96.0.1")), 80)
        let v6 = AddressPort(try #require(IPAddress("fd00::1")), 80)
        return [
            (.hashIP, .address(v4.address)), (.hashIP, .address(v6.address)), (.hashIPPort, .addressPort(v4, .tcp)),
            (.hashIPPort, .addressPort(v6, .sctp)),
            (.hashIPPortIP, .addressPortAddress(v4, .udp, v4.address)),
            (.hashIPPortNet, .addressPortNet(v4, .tcp, try #require(CIDR("10.0.0.0/8")))),
            (.hashIPPortNet, .addressPortNet(v6, .tcp, try #require(CIDR("fd00::5/128")))), (.bitmapPort, .port(30080)),
        ]
    }

    @Test func `to add a member have addresses and ports in network byte order`() throws {
        let member = AddressSet.Member.addressPort(AddressPort(try #require(IPAddress("10.96.0.1")), 80), .tcp)
        #expect(
            hex(try IPSetMessages.add(member, to: AddressSet.Name("KUBE-A")).bytes())
                == joined(
                    "48000000 0906 0100 00000000 00000000",  // NFNL_SUBSYS_IPSET << 8 | IPSET_CMD_ADD
                    "02 00 0000",  // nfgenmsg: AF_INET
                    "0500 0100 06 000000",  // PROTOCOL 6
                    "0b00 0200 4b5542452d4100 00",  // SETNAME KUBE-A
                    "2000 0780",  // DATA
                    "0c00 0180 0800 0140 0a600001",  // IP, IPADDR_IPV4
                    "0600 0440 0050 0000",  // PORT
                    "0500 0700 06 000000"  // PROTO
                ))
    }

    @Test func `yield members as they were encoded`() throws {
        for (kind, member) in try members() {
            let sent = try IPSetMessages.add(member, to: AddressSet.Name("KUBE-A")).bytes()
            let reply = try #require(NetlinkReply.all(in: sent).first)
            let data = try #require(NetlinkAttributes(reply.payload.dropFirst(4)).first { $0.type == 7 })
            #expect(AddressSet.Member(data.nested, kind: kind) == member, "\(member)")
        }
    }

    @Test func `skip members that this program never adds`() throws {
        #expect(AddressSet.Member(NetlinkAttributes([]), kind: .hashIPPort) == nil)
        for kind in AddressSetType.allCases {
            #expect(AddressSet.Member(NetlinkAttributes([8, 0, 7, 0, 58, 0, 0, 0]), kind: kind) == nil)
        }
    }

    @Test func `name the modules of each set type`() {
        let modules = ["hash_ip", "hash_ipport", "hash_ipportip", "hash_ipportnet", "bitmap_port"].map { ["ip_set", "ip_set_\($0)"] }
        #expect(AddressSetType.allCases.map(\.modules) == modules)
    }
}
