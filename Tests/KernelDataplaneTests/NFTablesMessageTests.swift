import Model
import Testing

@testable import KernelDataplane
@testable import Netlink

private func hex(_ bytes: some Sequence<UInt8>) -> String { bytes.map { ($0 < 16 ? "0" : "") + String($0, radix: 16) }.joined() }

private func joined(_ parts: String...) -> String { parts.joined().filter { !$0.isWhitespace } }

@Suite struct `Requests to nf_tables` {
    private let name = "0f00 0100 6b7562652d70726f787900 00"  // NFTA_TABLE_NAME: kube-proxy, NUL, padding

    @Test func `get a table by family and name`() throws {
        let message = try NFTablesMessages.getTable("kube-proxy", .ipv4).bytes()
        // NFNL_SUBSYS_NFTABLES << 8 | NFT_MSG_GETTABLE, NLM_F_REQUEST | NLM_F_ACK; AF_INET
        #expect(hex(message) == joined("24000000 010a 0500 00000000 00000000", "02 00 0000", name))
    }

    @Test func `delete a table within a batch`() throws {
        // NFNL_MSG_BATCH_BEGIN and NFNL_MSG_BATCH_END, of the subsystem nf_tables.
        #expect(hex(try NFTablesMessages.begin().bytes()) == joined("14000000 1000 0100 00000000 00000000", "00 00 000a"))
        #expect(hex(try NFTablesMessages.end().bytes()) == joined("14000000 1100 0100 00000000 00000000", "00 00 000a"))
        // NFT_MSG_DELTABLE; AF_INET6
        let message = try NFTCommand.deleteTable.message(table: "kube-proxy", .ipv6, setNumber: 1).bytes()
        #expect(hex(message) == joined("24000000 020a 0100 00000000 00000000", "0a 00 0000", name))
    }
}
