import CNetlink
import Glibc
import Model
import SystemPackage
import Testing

@testable import KernelDataplane
@testable import Netlink

/// Runs on a real kernel in separate network namespaces: `make rules` runs them with `Integration/kernel/isolate`.
@Suite(.serialized, .enabled(if: getenv("KUBE_IPVS_ISOLATED") != nil, "run them with make rules"))
struct `On a real kernel, nf_tables` {
    private let table = "kube-ipvs-proxy-test"

    /// The parts of a key of the sets here: an address, a protocol and a port.
    private func key(_ family: IPFamily) -> [NFTSet.Part] { [family == .ipv4 ? .ipv4Address : .ipv6Address, .protocol, .port] }

    /// An address that ends in a number.
    private func address(_ number: Int, _ family: IPFamily) -> [UInt8] {
        let last = (0..<4).reversed().map { UInt8(truncatingIfNeeded: number >> ($0 * 8)) }
        return family == .ipv4 ? [10] + last.dropFirst() : [0xfd, 0] + [UInt8](repeating: 0, count: 10) + last
    }

    /// TCP, with the port's bytes; each part padded to 4 bytes.
    private func element(_ number: Int, port: UInt16 = 80, _ family: IPFamily) -> NFTElement {
        NFTElement(key: address(number, family) + [6, 0, 0, 0, UInt8(port >> 8), UInt8(port & 0xff), 0, 0])
    }

    private func withClient(_ family: IPFamily, _ body: (borrowing NFTablesClient) async throws -> Void) async throws {
        let client = try NFTablesClient()
        try client.transact([.deleteTable, .addTable], table: table, family)
        do {
            try await body(client)
        } catch {
            try client.deleteTable(table, family)
            throw error
        }
        try client.deleteTable(table, family)
        #expect(try !client.hasTable(table, family))
    }

    private func listing(_ family: IPFamily) async throws -> String {
        let result = try await Command.run("nft", ["list", "table", family == .ipv4 ? "ip" : "ip6", table])
        #expect(result.succeeded, "\(result.standardError)")
        return result.output
    }

    private static let input = NFTChain(name: "input", hook: NFTChain.Hook(point: .input, type: .filter, priority: -7))
    private static let postrouting = NFTChain(name: "postrouting", hook: NFTChain.Hook(point: .postrouting, type: .nat, priority: 101))
    private static let all = NFTChain.Hook.Point.allCases.map {
        NFTChain(name: "all-\($0.rawValue)", hook: NFTChain.Hook(point: $0, type: .filter, priority: 12))
    }

    /// Rules with every expression, and their text in nft's listing.
    private func rules(_ family: IPFamily) -> [(rule: NFTRule, text: String)] {
        let name = family == .ipv4 ? "ip" : "ip6"
        let (source, destination, length) = family == .ipv4 ? (12, 16, 4) : (8, 24, 16)
        let afterAddress = NFTRegister(length / 4)
        let first = NFTRegister.first
        let interface = Array("cni0".utf8) + [UInt8](repeating: 0, count: 12)
        let bit: [UInt8] = [0, 0x40, 0, 0]  // 0x4000 in host order
        let zero: [UInt8] = [0, 0, 0, 0]
        let loadKey: [NFTExpression] = [
            .payload(.network, offset: destination, length: length, to: first), .meta(.transport, to: afterAddress),
            .payload(.transport, offset: 2, length: 2, to: NFTRegister(afterAddress.number + 1)),
        ]
        func filter(_ expressions: [NFTExpression], comment: String? = nil) -> NFTRule {
            NFTRule(chain: "input", expressions: expressions, comment: comment)
        }
        return [
            (
                filter(loadKey + [.lookup(set: "services", first, isNegated: false), .counter("seen"), .verdict(.jump("more"))]),
                "\(name) daddr . meta l4proto . th dport @services counter name \"seen\" jump more"
            ),
            (
                filter(loadKey + [.lookup(set: "services", first, isNegated: true), .verdict(.returning)], comment: "no Service “×”"),
                "\(name) daddr . meta l4proto . th dport != @services return comment \"no Service “×”\""
            ),
            (
                filter(
                    loadKey + [
                        .payload(.network, offset: source, length: length, to: NFTRegister(afterAddress.number + 2)),
                        .lookup(set: "ranges", first, isNegated: false), .verdict(.accept),
                    ]), "\(name) daddr . meta l4proto . th dport . \(name) saddr @ranges accept"
            ),
            (
                filter([.meta(.inputInterface, to: first), .compare(first, isEqual: true, interface), .verdict(.drop)]),
                "iifname \"cni0\" drop"
            ),
            (
                filter([
                    .meta(.mark, to: first), .bitwise(from: first, to: first, mask: bit, xor: zero),
                    .compare(first, isEqual: false, zero), .reject(.tcpReset),
                ]), "meta mark & 0x00004000 != 0x00000000 reject with tcp reset"
            ),
            (
                filter([
                    .meta(.mark, to: first), .bitwise(from: first, to: first, mask: [0xff, 0xbf, 0xff, 0xff], xor: bit),
                    .setMark(from: first),
                ]), "meta mark set meta mark | 0x00004000"
            ),
            (
                filter([
                    .conntrackState(to: first), .bitwise(from: first, to: first, mask: [1, 0, 0, 0], xor: zero),
                    .compare(first, isEqual: false, zero), .reject(.icmp(family == .ipv4 ? 3 : 4)),
                ]), "ct state invalid reject"
            ),
            (
                filter([.addressType(isSource: true, to: first), .compare(first, isEqual: true, [2, 0, 0, 0]), .verdict(.accept)]),
                "fib saddr type local accept"
            ),
            (
                filter([.addressType(isSource: false, to: NFTRegister(5)), .compare(NFTRegister(5), isEqual: false, [2, 0, 0, 0])]),
                "fib daddr type != local"
            ),
            (
                filter([
                    .payload(.network, offset: source, length: length, to: NFTRegister(8)),
                    .bitwise(
                        from: NFTRegister(8), to: NFTRegister(8), mask: [0xff, 0xfe] + [UInt8](repeating: 0, count: length - 2),
                        xor: [UInt8](repeating: 0, count: length)),
                    .compare(NFTRegister(8), isEqual: true, [0x20, 0] + [UInt8](repeating: 0, count: length - 2)),
                ]), family == .ipv4 ? "ip saddr 32.0.0.0/15" : "ip6 saddr 2000::/15"
            ),
            (NFTRule(chain: "postrouting", expressions: [.masquerade(isFullyRandom: true)]), "masquerade fully-random"),
            (NFTRule(chain: "postrouting", expressions: [.masquerade(isFullyRandom: false)]), "masquerade"),
        ]
    }

    private func objects(_ family: IPFamily) -> [NFTCommand] {
        [
            .addChain(Self.input), .addChain(Self.postrouting), .addChain(NFTChain(name: "more")), .addCounter("seen"),
            .addSet(NFTSet(name: "services", key: key(family))),
            .addSet(NFTSet(name: "ranges", key: key(family) + [key(family)[0]], hasIntervals: true)),
        ]
    }

    @Test(arguments: IPFamily.allCases) func `returns every expression as it was written, and nft prints it`(family: IPFamily) async throws
    {
        try await withClient(family) { client in
            let rules = rules(family)
            try client.transact(objects(family) + rules.map { .addRule($0.rule) }, table: table, family)
            let found = try client.rules(table: table, family)
            for chain in ["input", "postrouting"] {
                #expect(found.filter { $0.chain == chain } == rules.map(\.rule).filter { $0.chain == chain })
            }
            #expect(found.count == rules.count)
            let listing = try await listing(family)
            let lines = listing.split(separator: "\n").map { $0.drop { $0 == "\t" } }
            for (rule, text) in rules { #expect(lines.contains { $0 == text }, "\(text)\n\(rule)\n\(listing)") }
        }
    }

    @Test(arguments: IPFamily.allCases) func `returns chains, sets, elements and counters as they were written`(family: IPFamily)
        async throws
    {
        try await withClient(family) { client in
            let end = element(0x00ff_ffff, port: 80, family).key
            let ranges = [
                NFTElement(
                    key: element(1, family).key + address(0, family),
                    keyEnd: element(1, family).key + Array(end.prefix(key(family)[0].length))),
                NFTElement(key: element(2, family).key + address(2, family)),
            ]
            let elements = [element(1, family), element(2, port: 53, family)]
            let commands =
                objects(family) + Self.all.map { .addChain($0) } + [
                    .addElements(set: "services", elements), .addElements(set: "ranges", ranges), .addElements(set: "services", []),
                ]
            try client.transact(commands, table: table, family)
            // Again: nothing changes.
            try client.transact([.addTable] + commands, table: table, family)
            #expect(
                Set(try client.chains(table: table, family)) == Set([Self.input, Self.postrouting, NFTChain(name: "more")] + Self.all))
            #expect(try client.set("services", table: table, family) == NFTSet(name: "services", key: key(family)))
            #expect(
                try client.set("ranges", table: table, family)
                    == NFTSet(name: "ranges", key: key(family) + [key(family)[0]], hasIntervals: true))
            #expect(try client.set("none", table: table, family) == nil)
            #expect(Set(try client.elements(of: "services", table: table, family)) == Set(elements))
            #expect(Set(try client.elements(of: "ranges", table: table, family)) == Set(ranges))
            #expect(try client.counters(table: table, family) == ["seen": 0])
            let inputs = try client.baseChains().filter { $0.table == table && $0.chain.hook?.point == .input }
            #expect(Set(inputs.map(\.chain.name)) == ["input", "all-input"])
            #expect(inputs.allSatisfy { $0.family == (family == .ipv4 ? "ip" : "ip6") })
            let listing = try await listing(family)
            let addressType = family == .ipv4 ? "ipv4_addr" : "ipv6_addr"
            for part in [
                "type \(addressType) . inet_proto . inet_service\n",
                "type \(addressType) . inet_proto . inet_service . \(addressType)\n\t\tflags interval",
                family == .ipv4 ? "10.0.0.1 . tcp . 80" : "fd00::1 . tcp . 80",
                family == .ipv4 ? "10.0.0.2 . tcp . 53" : "fd00::2 . tcp . 53",
                family == .ipv4 ? "10.0.0.1 . tcp . 80 . 10.0.0.0/8" : "fd00::1 . tcp . 80 . fd00::/104",
                family == .ipv4 ? "10.0.0.2 . tcp . 80 . 10.0.0.2" : "fd00::2 . tcp . 80 . fd00::2",
                "type nat hook postrouting priority srcnat + 1; policy accept;",
                "type filter hook input priority filter - 7; policy accept;",
                "counter seen {",
            ] {
                #expect(listing.contains(part), "\(part)\n\(listing)")
            }
        }
    }

    @Test(arguments: [[.port], [.protocol, .port], [.ipv4Address], [.ipv6Address], [.ipv4Address, .ipv4Address]] as [[NFTSet.Part]])
    func `has sets of any key that nft prints`(key: [NFTSet.Part]) async throws {
        try await withClient(.ipv4) { client in
            let element = NFTElement(
                key: key.flatMap { part in
                    let value: [UInt8] = (0..<part.length).map { $0 == part.length - 1 ? 6 : 0 }
                    return key.count == 1 ? value : value + [UInt8](repeating: 0, count: part.paddedLength - part.length)
                })
            try client.transact(
                [.addSet(NFTSet(name: "any", key: key)), .addElements(set: "any", [element])], table: table, .ipv4)
            #expect(try client.set("any", table: table, .ipv4) == NFTSet(name: "any", key: key))
            #expect(try client.elements(of: "any", table: table, .ipv4) == [element])
            let texts: [NFTSet.Part: String] = [.port: "6", .protocol: "tcp", .ipv4Address: "0.0.0.6", .ipv6Address: "::6"]
            let expected = "elements = { " + key.compactMap { texts[$0] }.joined(separator: " . ") + " }"
            let listing = try await listing(.ipv4)
            #expect(listing.contains(expected), "\(expected)\n\(listing)")
        }
    }

    @Test(arguments: IPFamily.allCases) func `carries out ten thousand elements in one transaction`(family: IPFamily) async throws {
        try await withClient(family) { client in
            let elements = (0..<10_000).map { element($0, family) }
            let commands: [NFTCommand] = [.addSet(NFTSet(name: "services", key: key(family))), .addElements(set: "services", elements)]
            #expect(commands.reduce(0) { $0 + $1.byteCount } <= client.maximumTransactionBytes)
            try client.transact(commands, table: table, family)
            #expect(Set(try client.elements(of: "services", table: table, family)) == Set(elements))
            try client.transact([.deleteElements(set: "services", Array(elements.dropFirst()))], table: table, family)
            #expect(try client.elements(of: "services", table: table, family) == [elements[0]])
        }
    }

    @Test func `names every command and element at fault, and carries out nothing`() async throws {
        try await withClient(.ipv4) { client in
            let ranges = NFTSet(name: "ranges", key: [.ipv4Address, .port], hasIntervals: true)
            try client.transact([.addSet(NFTSet(name: "services", key: key(.ipv4))), .addSet(ranges)], table: table, .ipv4)
            var added = (0..<3000).map { element($0, .ipv4) }
            added[1234] = NFTElement(key: added[1234].key + [0, 0, 0, 0])
            added[1300] = NFTElement(key: [1, 2, 3, 4])
            let port: [UInt8] = [0, 80, 0, 0]
            let overlapping = [
                NFTElement(key: [10, 0, 0, 0] + port, keyEnd: [10, 0, 0, 255] + port),
                NFTElement(key: [10, 0, 0, 128] + port, keyEnd: [10, 0, 1, 0] + port),
            ]
            let error = #expect(throws: NFTTransactionError.self) {
                try client.transact(
                    [
                        .addChain(NFTChain(name: "new")), .addElements(set: "services", added), .addElements(set: "ranges", overlapping),
                        .deleteElements(set: "services", (5000..<5003).map { element($0, .ipv4) }), .deleteChain("none"),
                        .deleteSet("none"), .flushChain("none"),
                        .addRule(NFTRule(chain: "new", expressions: [.lookup(set: "none", .first, isNegated: false)])),
                        .addRule(NFTRule(chain: "new", expressions: [.meta(.mark, to: .first), .other("none"), .setMark(from: .first)])),
                    ], table: table, .ipv4)
            }
            let failures = try #require(error).failures
            #expect(error?.namesAllFailures == true)
            #expect(error?.isTemporary == false)
            #expect(
                failures.map { [$0.commandIndex, $0.elementIndex] } == [
                    [1, 1234], [1, 1300], [2, 1], [3, 0], [3, 1], [3, 2], [4, nil], [5, nil], [6, nil], [7, nil], [8, nil],
                ], "\(failures)")
            #expect(failures[2].error.code != .kernel(.noSuchFileOrDirectory))
            for failure in failures[3...] { #expect(failure.error.code == .kernel(.noSuchFileOrDirectory), "\(failure)") }
            #expect(failures.suffix(2).map(\.expression) == [.lookup(set: "none", .first, isNegated: false), .other("none")])
            #expect(failures[0].command == "add element 0a0004d2060000000050000000000000 to set services")
            #expect(try client.elements(of: "services", table: table, .ipv4).isEmpty)
            #expect(try client.chains(table: table, .ipv4).isEmpty)
        }
    }

    @Test func `names what fits if the errors exceed the receive buffer`() async throws {
        try await withClient(.ipv4) { client in
            try client.transact([.addSet(NFTSet(name: "services", key: key(.ipv4)))], table: table, .ipv4)
            let small = NFTablesClient(
                NetlinkSocket(try KernelChannel(NETLINK_NETFILTER, timeLimit: 10, receiveBytes: 20_000, sendBytes: 16 << 20)))
            let error = #expect(throws: NFTTransactionError.self) {
                try small.transact([.deleteElements(set: "services", (0..<1000).map { element($0, .ipv4) })], table: table, .ipv4)
            }
            let failures = try #require(error).failures
            #expect(error?.namesAllFailures == false)
            #expect(!failures.isEmpty && failures.count < 1000)
            #expect(failures.map(\.elementIndex) == Array(0..<failures.count))
            // The next transaction is not affected.
            try small.transact([.addElements(set: "services", [element(1, .ipv4)])], table: table, .ipv4)
            #expect(try small.elements(of: "services", table: table, .ipv4) == [element(1, .ipv4)])
        }
    }

    @Test func `rejects a transaction that exceeds the send buffer, and takes it in parts`() async throws {
        try await withClient(.ipv4) { client in
            let small = NFTablesClient(NetlinkSocket(try KernelChannel(NETLINK_NETFILTER, timeLimit: 10)))
            let elements = (0..<10_000).map { element($0, .ipv4) }
            let add = NFTCommand.addElements(set: "services", elements)
            try #require(add.byteCount > small.maximumTransactionBytes)
            try small.transact([.addSet(NFTSet(name: "services", key: key(.ipv4)))], table: table, .ipv4)
            let error = #expect(throws: NFTTransactionError.self) { try small.transact([add], table: table, .ipv4) }
            #expect(error?.error?.code == .kernel(.messageTooLong))
            let text = error?.description ?? ""
            #expect(text.contains("net.core.wmem_max") && text.contains("\(small.maximumTransactionBytes + 72)"), "\(text)")
            #expect(try client.elements(of: "services", table: table, .ipv4).isEmpty)
            let parts = [0..<2500, 2500..<5000, 5000..<7500, 7500..<10_000].map {
                NFTCommand.addElements(set: "services", Array(elements[$0]))
            }
            for part in parts {
                try #require(part.byteCount <= small.maximumTransactionBytes)
                try small.transact([part], table: table, .ipv4)
            }
            #expect(try client.elements(of: "services", table: table, .ipv4).count == 10_000)
        }
    }

    @Test(arguments: IPFamily.allCases) func `matches the key of a packet, and adding a counter again keeps its count`(family: IPFamily)
        async throws
    {
        try await withClient(family) { client in
            let length = key(family)[0].length
            let loopback: [UInt8] = family == .ipv4 ? [127, 0, 0, 1] : [UInt8](repeating: 0, count: 15) + [1]
            let found = NFTElement(key: loopback + [17, 0, 0, 0, 0x30, 0x39, 0, 0])  // UDP, 12345
            let range = NFTElement(
                key: found.key + [UInt8](repeating: 0, count: length),
                keyEnd: found.key + [127] + [UInt8](repeating: 255, count: length - 1))
            let rules = rules(family).map(\.rule)
            let lookups = [rules[0], rules[2]].map { rule in
                NFTRule(chain: "input", expressions: rule.expressions.filter { !$0.isVerdict } + [.counter("seen")])
            }
            #expect(lookups.allSatisfy { $0.expressions.contains(.counter("seen")) })
            try client.transact(
                objects(family) + [
                    .addElements(set: "services", [found]), .addElements(set: "ranges", [range]),
                    .addRule(NFTRule(chain: "input", expressions: [.verdict(.jump("more"))])),
                ]
                    + lookups.map { .addRule($0) }, table: table, family)
            for port in [12345, 12346] {
                let host = family == .ipv4 ? "127.0.0.1" : "::1"
                #expect(try await Command.run("bash", ["-c", "echo >/dev/udp/\(host)/\(port)"]).succeeded)
            }
            // The first rule counts twice.
            #expect(try client.counters(table: table, family) == ["seen": 3])
            try client.transact([.addCounter("seen")], table: table, family)
            #expect(try client.counters(table: table, family) == ["seen": 3])
        }
    }

    @Test func `reads tables of others`() async throws {
        let ruleset = """
            table inet operators {
              set ranges { type ipv4_addr; flags interval; elements = { 10.0.0.0/8 }; }
              map verdicts { type inet_service : verdict; }
              chain elsewhere { }
              chain input { type filter hook input priority 3; policy drop; tcp dport 22 accept; ip saddr @ranges goto elsewhere; log; drop; }
              chain output { type route hook output priority 4; }
            }

            """
        let created = try await Command.run("nft", ["-f", "-"], input: ruleset)
        #expect(created.succeeded, "\(created.standardError)")
        let client = try NFTablesClient()
        let chains = try client.baseChains().filter { $0.table == "operators" }
        #expect(
            Set(chains) == [
                NFTBaseChain(
                    family: "inet", table: "operators",
                    chain: NFTChain(
                        name: "input", hook: NFTChain.Hook(point: .input, type: .filter, priority: 3), policyIsDrop: true)),
                NFTBaseChain(
                    family: "inet", table: "operators",
                    chain: NFTChain(name: "output", hook: NFTChain.Hook(point: .output, type: .route, priority: 4))),
            ])
        let rules = try client.rules(family: "inet", table: "operators", chain: "input")
        #expect(rules.map(\.chain) == ["input", "input", "input", "input"])
        #expect(rules.compactMap(\.expressions.last) == [.verdict(.accept), .other("goto elsewhere"), .other("log"), .verdict(.drop)])
        #expect(try client.rules(table: "operators", .ipv4).isEmpty)
        #expect(try client.chains(table: "operators", .ipv4).isEmpty)
        #expect(try client.set("ranges", table: "operators", .ipv4) == nil)
        #expect(try client.elements(of: "ranges", table: "operators", .ipv4).isEmpty)
        #expect(try client.counters(table: "operators", .ipv4).isEmpty)
        #expect(try await Command.run("nft", ["delete", "table", "inet", "operators"]).succeeded)
    }

    @Test func `deletes a table with rules that refer to its sets and chains, and its parts in order`() async throws {
        try await withClient(.ipv4) { client in
            let commands = objects(.ipv4) + rules(.ipv4).map { .addRule($0.rule) }
            try client.transact(commands, table: table, .ipv4)
            // Replaces everything in one transaction.
            try client.transact([.deleteTable, .addTable] + commands, table: table, .ipv4)
            #expect(try client.rules(table: table, .ipv4).count == rules(.ipv4).count)
            let busy = #expect(throws: NFTTransactionError.self) {
                try client.transact([.deleteChain("more"), .deleteSet("services")], table: table, .ipv4)
            }
            #expect(busy?.failures.map(\.commandIndex) == [0, 1])
            #expect(busy?.failures.allSatisfy { $0.error.code == .kernel(.resourceBusy) } == true)
            try client.transact(
                [
                    .flushChain("input"), .deleteChain("more"), .deleteSet("services"), .deleteSet("ranges"), .deleteChain("postrouting"),
                    .deleteChain("input"),
                ], table: table, .ipv4)
            #expect(try client.chains(table: table, .ipv4).isEmpty)
            for name in ["services", "ranges"] { #expect(try client.set(name, table: table, .ipv4) == nil) }
        }
    }
}

extension NFTExpression {
    fileprivate var isVerdict: Bool { if case .verdict = self { true } else { false } }
}
