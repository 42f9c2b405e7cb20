import Model
import Testing

@testable import KernelDataplane
@testable import Netlink

private func hex(_ bytes: [UInt8]) -> String { bytes.map { ($0 < 16 ? "0" : "") + String($0, radix: 16) }.joined() }
private func joined(_ parts: String...) -> String { parts.joined().filter { $0 != " " } }
private func address(_ text: String) -> IPAddress { IPAddress(text) ?? IPAddress(v4: 0) }

/// Golden bytes of the requests that `ipset create`, `add` and `del` send.
@Suite struct `ipset requests byte for byte` {
    private let header = "02 00 0000 0500 0100 06 000000"  // nfgenmsg AF_INET; PROTOCOL 6
    private let name = "0b00 0200 4b5542452d4100 00"  // SETNAME KUBE-A

    /// The message after the netlink header.
    private func body(_ message: consuming NetlinkMessage) throws -> String { String(hex(try message.bytes()).dropFirst(32)) }

    @Test func `to create a hash contain family, size and capacity`() throws {
        let set = AddressSet(AddressSet.Name("KUBE-A"), kind: .hashIPPort, family: .ipv6, capacity: 131072)
        let bytes = try hex(IPSetMessages.create(set, revision: 5).bytes())
        #expect(bytes.dropFirst(8).prefix(4) == "0206", "NFNL_SUBSYS_IPSET << 8 | IPSET_CMD_CREATE")
        #expect(
            try body(IPSetMessages.create(set, revision: 5))
                == joined(
                    header, name,
                    "1100 0300 686173683a69702c706f727400 000000",  // TYPENAME hash:ip,port
                    "0500 0400 05 000000",  // REVISION
                    "0500 0500 0a 000000",  // FAMILY AF_INET6
                    "1400 0780",  // DATA
                    "0800 1240 00000400",  // HASHSIZE 1024, network order
                    "0800 1340 00020000"  // MAXELEM 131072
                ))
    }

    @Test func `to create a bitmap contain its port range`() throws {
        let set = AddressSet(AddressSet.Name("KUBE-A"), kind: .bitmapPort, family: .ipv4)
        #expect(
            try body(IPSetMessages.create(set, revision: 3))
                == joined(
                    header, name,
                    "1000 0300 6269746d61703a706f727400",  // TYPENAME bitmap:port
                    "0500 0400 03 000000", "0500 0500 00 000000",  // REVISION, FAMILY AF_UNSPEC
                    "1400 0780",  // DATA
                    "0600 0440 0000 0000",  // PORT 0
                    "0600 0540 ffff 0000"  // PORT_TO 65535
                ))
    }

    /// Each entry as an argument of `ipset add KUBE-A` and as the attributes inside DATA.
    @Test(
        arguments: [
            (
                "10.120.7.100,udp:53", AddressSet.Member.addressPort(AddressPort(address("10.120.7.100"), 53), .udp),
                "0c00 0180 0800 0140 0a780764  0600 0440 0035 0000  0500 0700 11 000000"
            ),
            (
                "10.120.7.100,tcp:80", .addressPort(AddressPort(address("10.120.7.100"), 80), .tcp),
                "0c00 0180 0800 0140 0a780764  0600 0440 0050 0000  0500 0700 06 000000"
            ),
            (
                "10.120.7.100,sctp:80", .addressPort(AddressPort(address("10.120.7.100"), 80), .sctp),
                "0c00 0180 0800 0140 0a780764  0600 0440 0050 0000  0500 0700 84 000000"
            ),
            (
                "10.120.7.100,udp:53,10.10.10.10",
                .addressPortAddress(AddressPort(address("10.120.7.100"), 53), .udp, address("10.10.10.10")),
                "0c00 0180 0800 0140 0a780764  0600 0440 0035 0000  0500 0700 11 000000  0c00 1480 0800 0140 0a0a0a0a"
            ),
            (
                "10.120.7.100,tcp:80,10.10.10.0/24",
                .addressPortNet(AddressPort(address("10.120.7.100"), 80), .tcp, CIDR("10.10.10.0/24") ?? CIDR(host: address("::"))),
                "0c00 0180 0800 0140 0a780764  0600 0440 0050 0000  0500 0700 06 000000  0c00 1480 0800 0140 0a0a0a00  0500 1500 18 000000"
            ),
            (
                "fd00::1", .address(address("fd00::1")), "1800 0180 1400 0240 fd000000000000000000000000000001"
            ),
            ("80", .port(80), "0600 0440 0050 0000"),
        ] as [(String, AddressSet.Member, String)])
    func `to add and delete a member differ only in the command`(text: String, member: AddressSet.Member, entry: String) throws {
        #expect(member.description == text)
        let data = joined(entry)
        let length = UInt16(data.count / 2 + 4)
        let expected = joined(header, name, hex([UInt8(length & 0xff), UInt8(length >> 8)]), "0780", data)
        let name = AddressSet.Name("KUBE-A")
        #expect(try body(IPSetMessages.add(member, to: name)) == expected)
        #expect(try body(IPSetMessages.delete(member, from: name)) == expected)
        #expect(try hex(IPSetMessages.add(member, to: name).bytes()).dropFirst(8).prefix(4) == "0906", "IPSET_CMD_ADD")
        #expect(try hex(IPSetMessages.delete(member, from: name).bytes()).dropFirst(8).prefix(4) == "0a06", "IPSET_CMD_DEL")
    }
}
