import CNetlink
import Model
import SystemPackage
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

    /// The payload of a command's message after nlmsghdr, nfgenmsg and the table's name "t".
    private func payload(_ command: NFTCommand) throws -> String {
        let message = try command.message(table: "t", .ipv4, setNumber: 3).bytes()
        #expect(hex(message[20..<28]) == "0600010074000000")
        return hex(message[28...])
    }

    @Test func `create a set with intervals by the lengths of its parts`() throws {
        let set = NFTSet(name: "s", key: [.ipv4Address, .protocol, .port, .ipv4Address], hasIntervals: true)
        let lengths = [4, 1, 2, 4].map { "0c00 0180 0800 0100 0000000\($0)" }.joined()  // NFTA_LIST_ELEM, NFTA_SET_FIELD_LEN
        #expect(
            try payload(.addSet(set))
                == joined(
                    "0600 0200 73000000",  // NFTA_SET_NAME
                    "0800 0300 00000084",  // NFTA_SET_FLAGS: NFT_SET_INTERVAL | NFT_SET_CONCAT
                    "0800 0400 001cc347",  // NFTA_SET_KEY_TYPE: 7, 12, 13, 7 in 6 bits each
                    "0800 0500 00000010",  // NFTA_SET_KEY_LEN: with padding
                    "0800 0a00 00000003",  // NFTA_SET_ID
                    "3800 0980 3400 0280", lengths))  // NFTA_SET_DESC, NFTA_SET_DESC_CONCAT
    }

    @Test func `are read back, with and without attributes of an expression`() throws {
        for isFullyRandom in [false, true] {
            let rule = NFTRule(chain: "c", expressions: [.masquerade(isFullyRandom: isFullyRandom)])
            let message = try NFTCommand.addRule(rule).message(table: "t", .ipv4, setNumber: 1).bytes()
            let reply = try #require(try NetlinkReply.all(in: message).first)
            #expect(NFTRule(reply, table: "t") == rule)
        }
    }

    @Test func `create a set of one part without padding`() throws {
        #expect(
            try payload(.addSet(NFTSet(name: "s", key: [.port])))
                == joined("0600 0200 73000000 0800 0300 00000000 0800 0400 0000000d 0800 0500 00000002 0800 0a00 00000003"))
    }

    @Test func `add an interval by its first and last key`() throws {
        let element = NFTElement(key: [10, 0, 0, 0], keyEnd: [10, 0, 0, 255])
        #expect(
            try payload(.addElements(set: "s", [element]))
                == joined(
                    "0600 0200 73000000",  // NFTA_SET_ELEM_LIST_SET
                    "2000 0380 1c00 0180",  // NFTA_SET_ELEM_LIST_ELEMENTS, NFTA_LIST_ELEM
                    "0c00 0180 0800 0100 0a000000",  // NFTA_SET_ELEM_KEY, NFTA_DATA_VALUE
                    "0c00 0a80 0800 0100 0a0000ff"))  // NFTA_SET_ELEM_KEY_END
        #expect(NFTElement(key: [1], keyEnd: [1]) == NFTElement(key: [1]))
    }

    @Test func `write verdicts as negative numbers, and the comment as libnftnl does`() throws {
        #expect(
            try payload(.addRule(NFTRule(chain: "c", expressions: [.verdict(.jump("d"))], comment: "hi")))
                == joined(
                    "0600 0200 63000000",  // NFTA_RULE_CHAIN
                    "3c00 0480 3800 0180",  // NFTA_RULE_EXPRESSIONS, NFTA_LIST_ELEM
                    "0e00 0100 696d6d6564696174 6500 0000",  // NFTA_EXPR_NAME: immediate
                    "2400 0280 0800 0100 00000000",  // NFTA_EXPR_DATA; NFTA_IMMEDIATE_DREG: NFT_REG_VERDICT
                    "1800 0280 1400 0280",  // NFTA_IMMEDIATE_DATA, NFTA_DATA_VERDICT
                    "0800 0100 fffffffd 0600 0200 64000000",  // NFTA_VERDICT_CODE: NFT_JUMP; NFTA_VERDICT_CHAIN
                    "0900 0700 0003 686900 000000"))  // NFTA_RULE_USERDATA: NFTNL_UDATA_RULE_COMMENT, 3 bytes with NUL
    }

    @Test func `request a counter with an empty nest`() throws {
        // NFTA_OBJ_NAME; NFTA_OBJ_TYPE: NFT_OBJECT_COUNTER; NFTA_OBJ_DATA
        #expect(try payload(.addCounter("c")) == joined("0600 0200 63000000 0800 0300 00000001 0400 0480"))
    }

    @Test(arguments: [("ä", 127, 63), ("a", 127, 127), ("a", 128, 127), ("🇩🇪", 100, 15)])
    func `cut a comment to 127 bytes of whole characters`(character: String, count: Int, kept: Int) throws {
        let rule = NFTRule(chain: "c", expressions: [], comment: String(repeating: character, count: count))
        let bytes = try NFTCommand.addRule(rule).message(table: "t", .ipv4, setNumber: 0).bytes()
        var reply = try #require(try NetlinkReply.all(in: bytes).first)
        // As the kernel dumps it: NFT_MSG_NEWRULE has the same number.
        reply.header.sequence = 1
        #expect(NFTRule(reply, table: "t")?.comment == String(repeating: character, count: kept))
        #expect(NFTRule(reply, table: "u") == nil)
    }

    @Test func `return registers of 16 bytes by the first of their parts`() throws {
        // NFT_REG_1, NFT_REG_2, NFT_REG_4, NFT_REG32_00, NFT_REG32_15; NFT_REG_VERDICT
        let numbers = [1, 2, 4, 8, 23, 0].map { number -> NFTRegister? in
            NFTAttributes(NetlinkAttributes([8, 0, 1, 0, 0, 0, 0, number])).register(NFTA_PAYLOAD_DREG)
        }
        #expect(numbers == [0, 4, 12, 0, 15, nil].map { $0.map(NFTRegister.init) })
    }
}

@Suite struct `A transaction of nf_tables` {
    private let elements = (0..<3000 as Range<UInt16>).map { NFTElement(key: [10, 0, UInt8($0 >> 8), UInt8($0 & 0xff)]) }

    @Test func `has as many elements in a message as fit, and no message without elements`() throws {
        let commands: [NFTCommand] = [
            .deleteTable, .addTable, .addElements(set: "s", elements), .addElements(set: "s", []), .deleteElements(set: "s", []),
            .flushChain("c"),
        ]
        let transaction = try NFTTransaction(commands, table: "t", .ipv4)
        #expect(transaction.origins.map(\.command) == [0, 0, 1, 2, 2, 5])
        // 16 bytes each; 2048 of them are 32 KiB.
        #expect(transaction.origins.map(\.elements) == [0..<0, 0..<0, 0..<0, 0..<2048, 2048..<3000, 0..<0])
        #expect(transaction.batch.byteCount <= commands.reduce(0) { $0 + $1.byteCount })
    }

    @Test func `is divided into messages of one element where the kernel cannot name the element at fault`() throws {
        let transaction = try NFTTransaction([.deleteTable, .addTable, .addElements(set: "s", elements)], table: "t", .ipv4)
        let divided = try #require(try transaction.divided([0, 4], maximumBytes: .max))
        #expect(divided.origins.prefix(4).map(\.elements) == [0..<0, 0..<0, 0..<0, 0..<2048])
        #expect(divided.origins.dropFirst(4).map(\.elements) == (2048..<3000).map { $0..<$0 + 1 })
        #expect(Array(divided.batch.message(0)) == Array(transaction.batch.message(0)))
        #expect(try transaction.divided([4], maximumBytes: transaction.batch.byteCount + 952 * 40) == nil)
        #expect(try transaction.divided([0, 1], maximumBytes: .max) == nil)
    }

    @Test func `fails with the commands in words`() throws {
        let rule = NFTRule(chain: "c", expressions: [.meta(.mark, to: .first), .counter("dropped")], comment: "why")
        let commands: [NFTCommand] = [.addSet(NFTSet(name: "s", key: [.port])), .addRule(rule), .deleteElements(set: "s", [elements[258]])]
        let transaction = try NFTTransaction(commands, table: "t", .ipv4)
        let missing = NetlinkError(.kernel(.noSuchFileOrDirectory))
        // nlmsghdr and nfgenmsg 20, table 8, chain 8, list 4, then the first expression: 4 + name 12 + data 4 + 16.
        let second = 20 + 8 + 8 + 4 + 36
        var rejection = NetlinkRejection()
        rejection.failures = [1: missing, 2: missing]
        for (offset, expression) in [(second, 1), (second + 4, 1), (second - 1, 0), (second - 36, 0)] {
            rejection.offsets = [1: offset, 2: 28]
            #expect(transaction.failures(rejection).map(\.expression) == [rule.expressions[expression], nil], "\(offset)")
        }
        rejection.offsets = [1: second]
        let error = NFTTransactionError(transaction.failures(rejection), namesAllFailures: true)
        #expect(
            "\(error)"
                == "add rule to chain c (why): expression objref: no such file or directory; delete element 0a000102 from set s: no such file or directory"
        )
        #expect(!error.isTemporary)
        #expect(NFTTransactionError(NetlinkError(.overrun)).isTemporary)
        #expect(NFTTransactionError(NetlinkError(.kernel(.resourceTemporarilyUnavailable))).isTemporary)
    }

    @Test(arguments: [(3, true, ""), (4, true, "; and 1 other failures"), (4, false, "; and 1 or more other failures")])
    func `names the first failures`(count: Int, isComplete: Bool, end: String) {
        let failures = (0..<count).map {
            NFTTransactionError.Failure(commandIndex: $0, command: "flush set s\($0)", error: NetlinkError(.kernel(.noSuchFileOrDirectory)))
        }
        let texts = (0..<3).map { "flush set s\($0): no such file or directory" }
        #expect("\(NFTTransactionError(failures, namesAllFailures: isComplete))" == texts.joined(separator: "; ") + end)
    }
}
