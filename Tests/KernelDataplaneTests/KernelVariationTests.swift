import CNetlink
import Glibc
import Model
import Testing

@testable import KernelDataplane
@testable import Netlink

/// An attribute of a reply, with a payload in host order.
private func attribute(_ type: Int, _ payload: [UInt8]) -> [UInt8] {
    let length = 4 + payload.count
    let padding = [UInt8](repeating: 0, count: (4 - length % 4) % 4)
    return number(UInt16(length)) + number(UInt16(type)) + payload + padding
}

private func number(_ value: some FixedWidthInteger) -> [UInt8] { withUnsafeBytes(of: value) { Array($0) } }

private func network(_ value: some FixedWidthInteger) -> [UInt8] { number(value.bigEndian) }

private func reply(_ payload: [UInt8]) throws -> NetlinkReply {
    let header = number(UInt32(16 + payload.count)) + number(UInt16(0x1f)) + number(UInt16(0)) + number(UInt64(0))
    return try #require(NetlinkReply.all(in: header + payload).first)
}

/// No attribute of these protocols has this number.
private let unknown = attribute(0x3ff0, [1, 2, 3, 4, 5, 6, 7, 8, 9])

@Suite struct `The counters of a virtual server` {
    /// Before Linux 4.1, only `IPVS_SVC_ATTR_STATS` exists, with 32-bit packets and rates and 64-bit bytes.
    private static let stats = attribute(
        Int(IPVS_SVC_ATTR_STATS),
        attribute(Int(IPVS_STATS_ATTR_CONNS), number(UInt32(1))) + attribute(Int(IPVS_STATS_ATTR_INPKTS), number(UInt32(2)))
            + attribute(Int(IPVS_STATS_ATTR_OUTPKTS), number(UInt32(3))) + attribute(Int(IPVS_STATS_ATTR_INBYTES), number(UInt64(1 << 40)))
            + attribute(Int(IPVS_STATS_ATTR_OUTBYTES), number(UInt64(5))) + attribute(Int(IPVS_STATS_ATTR_CPS), number(UInt32(6))))
    private static let stats64 = attribute(
        Int(IPVS_SVC_ATTR_STATS64),
        attribute(Int(IPVS_STATS_ATTR_CONNS), number(UInt64(1) << 33)) + attribute(Int(IPVS_STATS_ATTR_INPKTS), number(UInt64(1) << 34))
            + attribute(Int(IPVS_STATS_ATTR_PAD), []) + attribute(Int(IPVS_STATS_ATTR_OUTBPS), number(UInt64(1) << 35)))

    private static func statistics(_ values: [(WritableKeyPath<IPVSStatistics, UInt64>, UInt64)]) -> IPVSStatistics {
        var statistics = IPVSStatistics()
        for (counter, value) in values { statistics[keyPath: counter] = value }
        return statistics
    }

    private static let small = statistics([
        (\.connections, 1), (\.inPackets, 2), (\.outPackets, 3), (\.inBytes, 1 << 40), (\.outBytes, 5), (\.connectionRate, 6),
    ])
    private static let large = statistics([(\.connections, 1 << 33), (\.inPackets, 1 << 34), (\.outByteRate, 1 << 35)])

    @Test(arguments: [
        (stats, small), (stats64, large), (stats + stats64, large), (stats64 + stats, large), (stats + unknown, small),
        ([], IPVSStatistics()),
    ])
    func `are those of the widest attribute that the kernel sent`(attributes: [UInt8], expected: IPVSStatistics) throws {
        let key =
            attribute(Int(IPVS_SVC_ATTR_AF), number(UInt16(2))) + attribute(Int(IPVS_SVC_ATTR_PROTOCOL), number(UInt16(6)))
            + attribute(Int(IPVS_SVC_ATTR_ADDR), [10, 96, 0, 10] + [UInt8](repeating: 0, count: 12))
            + attribute(Int(IPVS_SVC_ATTR_PORT), network(UInt16(80)))
        let message = [1, 1, 0, 0] + attribute(Int(IPVS_CMD_ATTR_SERVICE), unknown + key + attributes)
        let service = try #require(IPVSService(try reply(message)))
        #expect(service.statistics == expected)
        #expect(service.key.description.contains("10.96.0.10:80"))
    }

    @Test func `are zero if the attribute is too short`() {
        let statistics = IPVSStatistics(NetlinkAttributes(attribute(Int(IPVS_STATS_ATTR_CONNS), [1, 2])[...]))
        #expect(statistics == IPVSStatistics())
    }
}

@Suite struct `The addresses of real servers` {
    private func destination(_ address: [UInt8], family: UInt16?, serviceFamily: IPFamily) throws -> IPVSDestination? {
        var attributes = attribute(Int(IPVS_DEST_ATTR_ADDR), address) + attribute(Int(IPVS_DEST_ATTR_PORT), network(UInt16(80)))
        if let family { attributes += attribute(Int(IPVS_DEST_ATTR_ADDR_FAMILY), number(family)) }
        return IPVSDestination(try reply([5, 1, 0, 0] + attribute(Int(IPVS_CMD_ATTR_DEST), attributes)), serviceFamily: serviceFamily)
    }

    private static let v6 = [0xfd, 0] + [UInt8](repeating: 0, count: 13) + [1]

    @Test(
        arguments: [
            ([10, 0, 0, 1], 2, .ipv4, "10.0.0.1:80"), ([10, 0, 0, 1] + [UInt8](repeating: 0, count: 12), 2, .ipv4, "10.0.0.1:80"),
            ([10, 0, 0, 1] + [UInt8](repeating: 0xff, count: 28), nil, .ipv4, "10.0.0.1:80"), (v6, 10, .ipv6, "[fd00::1]:80"),
            (v6, nil, .ipv6, "[fd00::1]:80"), (v6 + v6, 10, .ipv6, "[fd00::1]:80"), (v6, 10, .ipv4, "[fd00::1]:80"),
            ([10, 0, 0, 1], 10, .ipv6, nil), ([10, 0, 0], 2, .ipv4, nil), ([], nil, .ipv6, nil),
        ] as [([UInt8], UInt16?, IPFamily, String?)])
    func `have the length of their family, in a union of any length`(
        bytes: [UInt8], family: UInt16?, serviceFamily: IPFamily, expected: String?
    ) throws {
        #expect(try destination(bytes, family: family, serviceFamily: serviceFamily)?.location.description == expected)
    }
}

@Suite struct `The addresses of interfaces` {
    private static let v4: [UInt8] = [10, 0, 0, 1]
    private static let v6 = [0xfd, 0] + [UInt8](repeating: 0, count: 13) + [1]

    @Test(
        arguments: [
            (2, attribute(Int(IFA_LOCAL), v4), "10.0.0.1"),
            (2, attribute(Int(IFA_ADDRESS), [10, 0, 0, 2]) + attribute(Int(IFA_LOCAL), v4), "10.0.0.1"),
            (10, unknown + attribute(Int(IFA_ADDRESS), v6), "fd00::1"), (2, attribute(Int(IFA_LOCAL), v6), nil),
            (10, attribute(Int(IFA_ADDRESS), v4), nil), (2, attribute(Int(IFA_LOCAL), [10, 0]), nil), (2, [], nil),
            (7, attribute(Int(IFA_LOCAL), v4), nil),
        ] as [(UInt8, [UInt8], String?)])
    func `have the length of their family`(family: UInt8, attributes: [UInt8], expected: String?) throws {
        let message = [family, 32, 0, 0] + number(UInt32(3)) + attributes
        let found = InterfaceAddress(try reply(message))
        #expect(found?.address.description == expected)
        if found != nil { #expect(found?.interface == 3) }
    }
}

@Suite struct `The model's numbers` {
    /// `linux/ip_vs.h`.
    @Test func `of flags and forwarding methods are those of the kernel`() {
        let flags: [(VirtualServer.Flags, Int32)] = [
            (.persistent, IP_VS_SVC_F_PERSISTENT), (.onePacket, IP_VS_SVC_F_ONEPACKET), (.hashFallback, IP_VS_SVC_F_SCHED_SH_FALLBACK),
            (.hashPort, IP_VS_SVC_F_SCHED_SH_PORT), (.schedulerFlag3, IP_VS_SVC_F_SCHED3),
        ]
        for (flag, number) in flags { #expect(flag.rawValue == UInt32(number)) }
        let methods: [(RealServer.Forwarding, Int32)] = [
            (.masquerade, IP_VS_CONN_F_MASQ), (.localNode, IP_VS_CONN_F_LOCALNODE), (.tunnel, IP_VS_CONN_F_TUNNEL),
            (.directRoute, IP_VS_CONN_F_DROUTE), (.bypass, IP_VS_CONN_F_BYPASS),
        ]
        for (method, number) in methods { #expect(method.rawValue == UInt32(number)) }
        let tunnels: [(IPVSTunnelKind, Int)] = [
            (.ipip, Int(IP_VS_CONN_F_TUNNEL_TYPE_IPIP)), (.gue, Int(IP_VS_CONN_F_TUNNEL_TYPE_GUE)),
            (.gre, Int(IP_VS_CONN_F_TUNNEL_TYPE_GRE)),
        ]
        for (tunnel, number) in tunnels { #expect(Int(tunnel.rawValue) == number) }
    }

    @Test func `of protocols and set names are those of the kernel`() {
        for (transport, number) in [(Transport.tcp, IPPROTO_TCP), (.udp, IPPROTO_UDP), (.sctp, IPPROTO_SCTP)] {
            #expect(Int(transport.number) == number)
        }
        #expect(AddressSet.Name(String(repeating: "x", count: 99)).text.utf8.count == Int(IPSET_MAXNAMELEN) - 1)
    }
}
