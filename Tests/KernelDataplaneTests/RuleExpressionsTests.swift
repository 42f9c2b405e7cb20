import Model
import Reconciler
import SystemPackage
import Testing

@testable import KernelDataplane
@testable import Netlink
@testable import Translation

private let catalogue = Translation.catalogue(TranslationSettings(nodeName: "node1", packetFilter: .nftables))

private func expressions(_ family: IPFamily) -> RuleExpressions {
    let sets = catalogue.sets.values.filter { $0.family == family }
    return RuleExpressions(family: family, kinds: Dictionary(uniqueKeysWithValues: sets.map { ($0.name.text, $0.kind) }))
}

private let input = Rules.Chain(.filter, "KUBE-IPVS-FILTER")

@Suite struct `A rule of nf_tables` {
    @Test(arguments: IPFamily.allCases) func `is read from its expressions as the value that it was written from`(family: IPFamily) throws {
        let coding = expressions(family)
        let rules = allRules(family, .nftables)
        #expect(rules.count > 100)
        for (chain, rule) in rules {
            let written = try #require(coding.rule(rule, in: chain), "\(rule)")
            #expect(coding.rule(written, in: chain) == rule, "\(written)")
        }
    }

    @Test(arguments: IPFamily.allCases) func `for a bridge's port does not exist, as no packet of a bridge passes these chains`(
        family: IPFamily
    ) {
        #expect(!allRules(family, .nftables).contains { $0.rule.matches.contains(.bridgePort(isNegated: true)) })
        #expect(allRules(family, .iptables).contains { $0.rule.matches.contains(.bridgePort(isNegated: true)) })
        #expect(expressions(family).rule(Rule([.bridgePort()], .accept), in: input) == nil)
    }

    @Test func `compares all parts of a set's members in their order`() throws {
        let services = Rules.Chain(.nat, "KUBE-SERVICES")
        func lookUp(_ set: KubeSet, _ sides: [Rule.Side], _ family: IPFamily) throws -> [NFTExpression] {
            try #require(
                expressions(family).rule(Rule([.set(set.name(family, in: .nftables), sides)], .return), in: services)
            ).expressions.dropLast()
        }
        #expect(
            try lookUp(.loopBack, [.destination, .destination, .source], .ipv4) == [
                .payload(.network, offset: 16, length: 4, to: NFTRegister(0)), .meta(.transport, to: NFTRegister(1)),
                .payload(.transport, offset: 2, length: 2, to: NFTRegister(2)),
                .payload(.network, offset: 12, length: 4, to: NFTRegister(3)),
                .lookup(set: "KUBE-LOOP-BACK", NFTRegister(0), isNegated: false),
            ])
        #expect(
            try lookUp(.clusterIP, [.source, .destination], .ipv6) == [
                .payload(.network, offset: 8, length: 16, to: NFTRegister(0)), .meta(.transport, to: NFTRegister(4)),
                .payload(.transport, offset: 2, length: 2, to: NFTRegister(5)),
                .lookup(set: "KUBE-6-CLUSTER-IP", NFTRegister(0), isNegated: false),
            ])
    }

    /// Other protocols have something else where the port is.
    @Test func `compares a port only together with its protocol`() throws {
        let match = Rule.Match.set(KubeSet.healthCheckNodePort.name(.ipv4, in: .nftables), [.destination])
        #expect(expressions(.ipv4).rule(Rule([match], .accept), in: input) == nil)
        let tcp = try #require(expressions(.ipv4).rule(Rule([.transport(.tcp), match], .accept), in: input))
        #expect(tcp.expressions.contains(.compare(.first, isEqual: true, [6])))
    }

    /// An accept ends only its own chain: chains of others, for host ports, would change the destination of Services.
    @Test func `keeps the destination from NAT chains of others if it accepts a packet`() throws {
        let rule = try #require(expressions(.ipv4).rule(Rule([], .accept), in: Rules.Chain(.nat, "KUBE-SERVICES")))
        #expect(rule.expressions == [.payload(.network, offset: 16, length: 4, to: .first), .destinationNAT(.ipv4, to: .first)])
        #expect(try #require(expressions(.ipv4).rule(Rule([], .accept), in: input)).expressions == [.verdict(.accept)])
    }

    @Test func `counts packets before it drops them`() throws {
        let rule = try #require(expressions(.ipv4).rule(Rule([], .drop), in: Rules.Chain(.filter, "KUBE-PROXY-FIREWALL")))
        #expect(rule.expressions == [.counter("filter-KUBE-PROXY-FIREWALL"), .verdict(.drop)])
    }

    @Test(
        arguments: [
            [.verdict(.accept), .verdict(.accept)], [.compare(.first, isEqual: true, [6]), .verdict(.accept)],
            [.meta(.transport, to: .first), .compare(.first, isEqual: true, [47]), .verdict(.accept)], [.other("log"), .verdict(.accept)],
            [.meta(.transport, to: .first), .compare(.first, isEqual: true, []), .verdict(.accept)], [],
            [.payload(.network, offset: 16, length: 4, to: .first), .compare(.first, isEqual: true, [10, 0, 0, 1]), .verdict(.drop)],
            [.verdict(.drop)], [.counter("another"), .verdict(.drop)], [.verdict(.jump("KUBE-SERVICES"))],
            [.lookup(set: "unknown", .first, isNegated: false), .verdict(.accept)],
            [.payload(.transport, offset: 2, length: 2, to: .first), .compare(.first, isEqual: true, [0]), .verdict(.accept)],
        ] as [[NFTExpression]])
    func `that this program does not write is one of others, and is not restored`(found: [NFTExpression]) throws {
        let coding = expressions(.ipv4)
        let rule = coding.rule(NFTRule(chain: RuleExpressions.name(input), expressions: found), in: input)
        guard case .other(let text) = rule.verdict else {
            Issue.record("\(rule)")
            return
        }
        #expect(text == found.map(\.description).joined(separator: " "))
        #expect(coding.rule(rule, in: input) == nil)
    }
}

@Suite struct `The table of nf_tables` {
    private let rules: Rules
    private let table = RuleTable(.ipv4, catalogue)

    init() throws { rules = try #require(catalogue.rules[.ipv4]) }

    /// What the table contains after the commands, as far as chains and rules are concerned.
    private func contents(_ commands: [NFTCommand], _ chains: [NFTChain] = [], _ rules: [NFTRule] = []) -> (
        chains: [NFTChain], rules: [NFTRule]
    ) {
        commands.reduce(into: (chains, rules)) { table, command in
            switch command {
            case .addChain(let chain): if !table.0.contains(chain) { table.0.append(chain) }
            case .deleteChain(let name): table.0.removeAll { $0.name == name }
            case .flushChain(let name): table.1.removeAll { $0.chain == name }
            case .addRule(let rule): table.1.append(rule)
            default: break
            }
        }
    }

    @Test func `is read as the rules that were written, whatever it contained before`() {
        let (chains, found) = contents(table.commands(restoring: rules, over: []))
        #expect(table.rules(chains, found) == rules)
        let others = [
            NFTChain(name: "filter-input", hook: .init(point: .input, type: .filter, priority: 50)),
            NFTChain(name: "nat-output", hook: RuleTable.baseChain(.nat, "OUTPUT")?.hook, policyIsDrop: true),
            NFTChain(name: "filter-KUBE-FORWARD"), NFTChain(name: "left-by-another-version"),
        ]
        let before = [NFTRule(chain: "filter-KUBE-FORWARD", expressions: [.verdict(.drop)], comment: nil)]
        let after = contents(table.commands(restoring: rules, over: others), others, before)
        #expect(table.rules(after.chains, after.rules) == rules)
        #expect(!after.chains.contains { $0.name == "left-by-another-version" })
    }

    @Test func `lacks the jumps of a base chain that others changed`() throws {
        let (chains, found) = contents(table.commands(restoring: rules, over: []))
        let foreign = NFTRule(chain: "filter-input", expressions: [.verdict(.drop)], comment: nil)
        let changed = table.rules(chains, found + [foreign])
        #expect(changed.chains == rules.chains)
        #expect(Set(rules.jumps).subtracting(changed.jumps).map(\.from) == ["INPUT", "INPUT", "INPUT"])
        let withoutBase = table.rules(chains.filter { $0.name != "nat-postrouting" }, found)
        #expect(Set(rules.jumps).subtracting(withoutBase.jumps).map(\.from) == ["POSTROUTING"])
    }

    @Test func `shows a rule of others in a chain, and lacks a chain that does not exist`() throws {
        let (chains, found) = contents(table.commands(restoring: rules, over: []))
        let foreign = NFTRule(chain: "nat-KUBE-SERVICES", expressions: [.verdict(.accept)], comment: "x")
        let services = Rules.Chain(.nat, "KUBE-SERVICES")
        let changed = table.rules(chains.filter { $0.name != "filter-KUBE-FORWARD" }, found + [foreign])
        #expect(changed.chains[services]?.count == (rules.chains[services]?.count ?? 0) + 1)
        #expect(changed.chains[Rules.Chain(.filter, "KUBE-FORWARD")] == nil)
    }

    /// At INPUT and OUTPUT, IPVS replaces the destination, which the rules match.
    @Test func `has base chains before IPVS`() {
        for jump in rules.jumps {
            guard let hook = RuleTable.baseChain(jump.table, jump.from)?.hook else {
                Issue.record("\(jump)")
                continue
            }
            if hook.point == .output { #expect(hook.priority < -99) }
            if hook.point == .input { #expect(hook.priority < 98) }
            if hook.type == .nat { #expect(hook.priority > -200, "nf_tables has no NAT before connection tracking") }
        }
    }

    @Test func `names the modules that a rejected command needs`() {
        let commands = table.commands(restoring: rules, over: [])
        func explanation(_ find: (NFTCommand) -> Bool) -> String {
            let index = commands.firstIndex(where: find) ?? 0
            let failure = NFTTransactionError.Failure(
                commandIndex: index, elementIndex: nil, command: commands[index].description(element: nil),
                error: NetlinkError(.kernel(.noSuchFileOrDirectory)))
            return RuleTable.explanation(NFTTransactionError([failure], namesAllFailures: true), of: commands, .ipv6, .possible)
        }
        func isRule(_ command: NFTCommand, with expression: NFTExpression) -> Bool {
            if case .addRule(let rule) = command { rule.expressions.contains(expression) } else { false }
        }
        let chain = explanation { if case .addChain(let chain) = $0 { chain.hook?.type == .nat } else { false } }
        #expect(chain.contains("modprobe nft_chain_nat"))
        let masquerade = explanation { isRule($0, with: .masquerade(isFullyRandom: true)) }
        #expect(masquerade.contains("modprobe nft_masq"))
        let reset = explanation { isRule($0, with: .reject(.tcpReset)) }
        #expect(reset.contains("modprobe --all nft_ct nft_reject nft_reject_ipv6"))
        let unknown = NFTTransactionError(NetlinkError(.kernel(.notSupported)))
        #expect(RuleTable.explanation(unknown, of: commands, .ipv4, .possible).contains("modprobe nf_tables"))
        let temporary = NFTTransactionError(NetlinkError(.timedOut))
        #expect(RuleTable.explanation(temporary, of: commands, .ipv4, .possible) == temporary.description)
    }
}

@Suite struct `Members of a set in nf_tables` {
    private let location = AddressPort(IPAddress(v4: 0x0a60_0001), 80)

    @Test(arguments: ["10.0.0.0/8", "0.0.0.0/1", "128.0.0.0/1", "192.0.2.1/32", "10.1.2.0/23", "fd00::/8", "2001:db8::1/128", "::/1"])
    func `with a range are read as they were written`(range: String) throws {
        let net = try #require(CIDR(range))
        let location = AddressPort(try #require(IPAddress(net.family == .ipv4 ? "10.96.0.1" : "fd00:96::1")), 443)
        let member = AddressSet.Member.addressPortNet(location, .sctp, net)
        let element = member.element(net.family)
        #expect(AddressSet.Member(element, .hashIPPortNet, net.family) == member)
        #expect((element.keyEnd == nil) == (net.prefixLength == net.family.addressBits))
    }

    @Test func `of every type are read as they were written`() throws {
        let source = IPAddress(v4: 0x0af4_0105)
        let members: [(AddressSet.Member, AddressSetType)] = [
            (.address(source), .hashIP), (.addressPort(location, .tcp), .hashIPPort),
            (.addressPortAddress(location, .udp, source), .hashIPPortIP), (.port(30080), .bitmapPort),
        ]
        for (member, kind) in members { #expect(AddressSet.Member(member.element(.ipv4), kind, .ipv4) == member) }
        #expect(AddressSet.Member.addressPort(location, .tcp).element(.ipv4).key == [10, 96, 0, 1, 6, 0, 0, 0, 0, 80, 0, 0])
        #expect(AddressSet.Member.port(30080).element(.ipv4).key == [0x75, 0x80])
    }

    @Test func `that are no member of the type are ignored`() {
        let start: [UInt8] = [10, 96, 0, 1, 6, 0, 0, 0, 0, 80, 0, 0]
        #expect(AddressSet.Member(NFTElement(key: [1, 2]), .hashIPPort, .ipv4) == nil)
        #expect(AddressSet.Member(NFTElement(key: [10, 96, 0, 1, 47, 0, 0, 0, 0, 80, 0, 0]), .hashIPPort, .ipv4) == nil)
        let noBlock = NFTElement(key: start + [10, 0, 0, 1], keyEnd: start + [10, 0, 0, 9])
        #expect(AddressSet.Member(noBlock, .hashIPPortNet, .ipv4) == nil)
    }
}

@Suite struct `A transaction of set operations` {
    private let set = KubeSet.clusterIP.empty(.ipv4, in: .nftables)
    private let location = AddressPort(IPAddress(v4: 0x0a60_0001), 80)

    private func member(_ number: UInt32) -> AddressSet.Member { .addressPort(AddressPort(IPAddress(v4: number), 80), .tcp) }

    private func additions(_ numbers: ClosedRange<UInt32>) -> [Operation] {
        numbers.map { .addMember(set.name, member($0), nil) }
    }

    @Test func `names the operation at fault, unless the kernel does not name the element`() {
        var transaction = SetTransaction([.createSet(set)] + additions(1...3) + [.removeMember(set.name, member(9))], .ipv4)
        func rejected(_ command: Int, _ element: Int?) -> Set<Operation>? {
            let failure = NFTTransactionError.Failure(
                commandIndex: command, elementIndex: element, command: "", error: NetlinkError(.kernel(.invalidArgument)))
            return transaction.rejected(by: NFTTransactionError([failure], namesAllFailures: true)).map { Set($0.keys) }
        }
        #expect(rejected(0, nil) == [.createSet(set)] && rejected(1, nil) == [.createSet(set)])
        #expect(rejected(2, 1) == [.addMember(set.name, member(2), nil)])
        #expect(rejected(2, nil) == nil)
        #expect(rejected(3, nil) == [.removeMember(set.name, member(9))])
        transaction.remove([set.name.text: [member(7).element(.ipv4)]])
        #expect(transaction.commands.first == .deleteElements(set: set.name.text, [member(7).element(.ipv4)]))
        #expect(rejected(0, nil) == [] && rejected(3, 2) == [.addMember(set.name, member(3), nil)])
        let rest = transaction.without([.createSet(set)])
        #expect(rest.commands.first == transaction.commands.first && rest.operations.count == 4)
    }

    @Test(arguments: [
        (["10.0.0.0/8"], ["10.1.0.0/16", "10.2.0.0/16"], ["10.0.0.0/8"]),
        (["10.1.0.0/16", "10.2.0.0/16"], ["10.0.0.0/8"], ["10.1.0.0/16", "10.2.0.0/16"]),
        (["10.0.0.0/8"], ["10.0.0.0/8"], []), (["10.0.0.0/8"], ["11.0.0.0/8"], []), ([], ["10.0.0.0/8"], []),
        (["fd00::/8"], ["fd00:1::/32"], ["fd00::/8"]), (["10.0.0.0/8", "fd00::/8"], ["10.0.0.0/9"], ["10.0.0.0/8"]),
    ])
    func `finds the ranges that overlap with added ones`(present: [String], added: [String], expected: [String]) {
        let server = VirtualServer.Identity(.tcp, location)
        func ranges(_ texts: [String], of server: VirtualServer.Identity) -> RangesByPort {
            texts.compactMap { CIDR($0) }.reduce(into: RangesByPort()) { $0.insert($1, of: server) }
        }
        let overlapping = ranges(present, of: server).overlapping(ranges(added, of: server))
        #expect(Set(overlapping.elements(.ipv4)) == Set(ranges(expected, of: server).elements(.ipv4)))
        let other = VirtualServer.Identity(.udp, location)
        #expect(ranges(present, of: other).overlapping(ranges(added, of: server)).elements(.ipv4).isEmpty)
    }
}
