import Model
import Testing

@testable import Reconciler

@Suite struct `The commands of sets` {
    private static let name = AddressSet.Name("KUBE-LOAD-BALANCER-SOURCE-CIDR", in: .table(.ipv4))
    private static let range = AddressSet.Member.addressPortNet(
        AddressPort(IPAddress(v4: 0xc633_6414), 80), .tcp, CIDR(host: IPAddress(v4: 0x0a00_0001)))

    /// A shell would end an unquoted command at the semicolon.
    @Test func `in nftables can be run by a shell`() {
        let set = AddressSet(Self.name, kind: .hashIPPortNet, family: .ipv4)
        let table = "ip kube-ipvs-proxy KUBE-LOAD-BALANCER-SOURCE-CIDR"
        #expect(
            Operation.createSet(set).command
                == "nft add set \(table) '{ type ipv4_addr . inet_proto . inet_service . ipv4_addr; flags interval; }'")
        #expect(
            Operation.addMember(Self.name, Self.range, nil).command
                == "nft add element \(table) { 198.51.100.20 . tcp . 80 . 10.0.0.1/32 }")
    }
}
