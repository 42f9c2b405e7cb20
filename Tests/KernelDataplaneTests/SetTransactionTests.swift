import Model
import Netlink
import Reconciler
import SystemPackage
import Testing

@testable import KernelDataplane

@Suite struct `Transactions of sets in nf_tables` {
    private let ports = AddressSet.Name("PORTS", in: .table(.ipv4))
    private let others = AddressSet.Name("OTHERS", in: .table(.ipv4))

    private func element(_ port: UInt16) -> NFTElement { AddressSet.Member.port(port).element(.ipv4) }

    private var operations: [Operation] {
        [
            .createSet(AddressSet(others, kind: .bitmapPort, family: .ipv4)),
            .addMember(ports, .port(1), nil), .addMember(ports, .port(2), nil), .addMember(others, .port(3), nil),
            .removeMember(others, .port(4)), .removeMember(others, .port(5)), .addMember(ports, .port(6), nil), .destroySet(ports),
        ]
    }

    @Test func `change members of a set in a row by one command, in order`() {
        let expected: [NFTCommand] = [
            .addTable, .addSet(NFTSet(name: "OTHERS", key: [.port])),
            .addElements(set: "PORTS", [element(1), element(2)]), .addElements(set: "OTHERS", [element(3)]),
            .deleteElements(set: "OTHERS", [element(4), element(5)]), .addElements(set: "PORTS", [element(6)]), .deleteSet("PORTS"),
        ]
        #expect(SetTransaction(operations, .ipv4).commands == expected)
    }

    /// Commands and elements at fault, and the places of their operations.
    @Test(arguments: [(1, nil, [0]), (2, 1, [2]), (4, 1, [5]), (5, nil, [6]), (6, nil, [7])] as [(Int, Int?, [Int])])
    func `name the operations of a command or element at fault`(command: Int, element: Int?, places: [Int]) {
        let reason = NetlinkError(.kernel(.fileExists))
        let failure = NFTTransactionError.Failure(
            commandIndex: command, elementIndex: element, command: "", error: reason)
        let rejected = SetTransaction(operations, .ipv4).rejected(by: NFTTransactionError([failure], namesAllFailures: true))
        #expect(rejected == Dictionary(uniqueKeysWithValues: places.map { (operations[$0], reason) }))
    }

    @Test func `take ten thousand members of each of two sets in two commands, or in parts that fit`() {
        let operations = [ports, others].flatMap { name in (1...10_000).map { Operation.addMember(name, .port($0), nil) } }
        let whole = SetTransaction.parts(operations, .ipv4, limit: 1 << 20)
        #expect(whole.map { $0.commands.map { $0.elements?.count } } == [[10_000, 10_000]])
        let parts = SetTransaction.parts(operations, .ipv4, limit: 1 << 17)
        #expect(parts.count > 1 && parts.flatMap(\.operations) == operations)
        #expect(parts.allSatisfy { $0.commands.reduce(0) { $0 + $1.byteCount } <= 1 << 17 })
    }
}
