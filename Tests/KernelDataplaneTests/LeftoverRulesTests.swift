import Model
import Testing
import Translation

@testable import KernelDataplane

/// Rules of a node with kube-proxy in iptables mode, shortened, including those of the kubelet and others.
private let saved = """
    *mangle
    :PREROUTING ACCEPT [0:0]
    :KUBE-IPTABLES-HINT - [0:0]
    :KUBE-KUBELET-CANARY - [0:0]
    :KUBE-PROXY-CANARY - [0:0]
    COMMIT
    *filter
    :INPUT ACCEPT [0:0]
    :FORWARD ACCEPT [0:0]
    :OUTPUT ACCEPT [0:0]
    :KUBE-EXTERNAL-SERVICES - [0:0]
    :KUBE-FIREWALL - [0:0]
    :KUBE-FORWARD - [0:0]
    :KUBE-KUBELET-CANARY - [0:0]
    :KUBE-NODEPORTS - [0:0]
    :KUBE-PROXY-CANARY - [0:0]
    :KUBE-PROXY-FIREWALL - [0:0]
    :KUBE-SERVICES - [0:0]
    :KUBE-SVC-OPERATORS - [0:0]
    -A INPUT -m conntrack --ctstate NEW -m comment --comment "kubernetes load balancer firewall" -j KUBE-PROXY-FIREWALL
    -A INPUT -m comment --comment "kubernetes health check service ports" -j KUBE-NODEPORTS
    -A INPUT -m conntrack --ctstate NEW -m comment --comment "kubernetes externally-visible service portals" -j KUBE-EXTERNAL-SERVICES
    -A INPUT -j KUBE-FIREWALL
    -A FORWARD -m comment --comment "kubernetes forwarding rules" -j KUBE-FORWARD
    -A OUTPUT -m conntrack --ctstate NEW -m comment --comment "kubernetes service portals" -j KUBE-SERVICES
    -A KUBE-FORWARD -m mark --mark 0x4000/0x4000 -j ACCEPT
    -A KUBE-SERVICES -d 10.96.0.9/32 -p tcp -m comment --comment "default/none has no endpoints" -j REJECT
    COMMIT
    *nat
    :PREROUTING ACCEPT [0:0]
    :OUTPUT ACCEPT [0:0]
    :POSTROUTING ACCEPT [0:0]
    :KUBE-EXT-AAAA - [0:0]
    :KUBE-KUBELET-CANARY - [0:0]
    :KUBE-MARK-DROP - [0:0]
    :KUBE-MARK-MASQ - [0:0]
    :KUBE-NODEPORTS - [0:0]
    :KUBE-POSTROUTING - [0:0]
    :KUBE-PROXY-CANARY - [0:0]
    :KUBE-SEP-CCCC - [0:0]
    :KUBE-SERVICES - [0:0]
    :KUBE-SVC-BBBB - [0:0]
    :OPERATORS - [0:0]
    -A PREROUTING -m comment --comment "kubernetes service portals" -j KUBE-SERVICES
    -A OUTPUT -m comment --comment "kubernetes service portals" -j KUBE-SERVICES
    -A OUTPUT -m comment --comment "not -j KUBE-SVC-BBBB" -j OPERATORS
    -A KUBE-EXT-AAAA -j KUBE-SVC-BBBB
    -A KUBE-NODEPORTS -d 127.0.0.0/8 -p tcp -m comment --comment "default/web" -j KUBE-EXT-AAAA
    -A KUBE-SEP-CCCC -p tcp -m comment --comment "default/web" -m tcp -j DNAT --to-destination 10.244.0.5:80
    -A KUBE-SERVICES -d 10.96.0.10/32 -p tcp -m comment --comment "default/web cluster IP" -j KUBE-SVC-BBBB
    -A KUBE-SERVICES -m comment --comment "kubernetes service nodeports" -m addrtype --dst-type LOCAL -j KUBE-NODEPORTS
    -A KUBE-SVC-BBBB -m comment --comment "default/web -> 10.244.0.5:80" -j KUBE-SEP-CCCC
    COMMIT

    """

private let ours = Translation.catalogue(TranslationSettings(nodeName: "node1")).rules[.ipv4] ?? Rules(.ipv4)

private func chains(_ table: Rules.Table, _ names: String...) -> Set<Rules.Chain> { Set(names.map { Rules.Chain(table, $0) }) }

@Suite struct `Leftover rules of kube-proxy's iptables mode` {
    @Test func `are found by name, without those of the kubelet, an operator or this program`() {
        let found = LeftoverRules.parse(saved, catalogue: ours)
        #expect(
            found.chains
                == chains(.mangle, "KUBE-PROXY-CANARY")
                .union(chains(.filter, "KUBE-EXTERNAL-SERVICES", "KUBE-NODEPORTS", "KUBE-PROXY-CANARY", "KUBE-SERVICES"))
                .union(chains(.nat, "KUBE-EXT-AAAA", "KUBE-NODEPORTS", "KUBE-PROXY-CANARY", "KUBE-SEP-CCCC", "KUBE-SVC-BBBB")))
        #expect(
            found.jumps.map { "\($0.table.rawValue) \($0.from) \($0.specification.split(separator: " ").last ?? "")" } == [
                "filter INPUT KUBE-PROXY-FIREWALL", "filter INPUT KUBE-NODEPORTS", "filter INPUT KUBE-EXTERNAL-SERVICES",
                "filter OUTPUT KUBE-SERVICES",
            ])
        #expect(!found.hasTable)
    }

    /// The chain contains one rule while a part of the rules is tested.
    @Test(arguments: Rules.Table.allCases)
    func `include the chain in which a killed process tested the kernel, in each table and in both backends`(table: Rules.Table) throws {
        let chain = "KUBE-IPVS-PROXY-PROBE"
        let text = "*\(table.rawValue)\n:OUTPUT ACCEPT [0:0]\n:\(chain) - [0:0]\n-A \(chain) -m comment --comment \"a b\"\nCOMMIT\n"
        #expect(LeftoverRules.parse(text, catalogue: ours) == Leftovers(.ipv4, chains: chains(table, chain)))
        #expect(try #require(LeftoverRules.parse(text, in: .nft, catalogue: ours)).chains == chains(table, chain))
    }

    @Test func `are found in listings with counters as well`() {
        let counted = saved.replacing("\n-A ", with: "\n[3:180] -A ")
        #expect(counted != saved && LeftoverRules.parse(counted, catalogue: ours) == LeftoverRules.parse(saved, catalogue: ours))
    }

    @Test func `are kept if other rules refer to them`() {
        let used = saved.replacing("-A KUBE-EXT-AAAA", with: "-A OPERATORS -p tcp -g KUBE-SVC-BBBB\n-A KUBE-EXT-AAAA").replacing(
            "-A INPUT -j KUBE-FIREWALL", with: "-A INPUT -s 192.0.2.1/32 -j KUBE-NODEPORTS")
        let found = LeftoverRules.parse(used, catalogue: ours)
        #expect(found.chains.intersection(chains(.nat, "KUBE-SVC-BBBB", "KUBE-SEP-CCCC")).isEmpty)
        #expect(found.chains.contains(Rules.Chain(.nat, "KUBE-EXT-AAAA")), "it refers to such a chain, but nothing refers to it")
        #expect(!found.chains.contains(Rules.Chain(.filter, "KUBE-NODEPORTS")))
        #expect(!found.jumps.contains { $0.specification.hasSuffix("KUBE-NODEPORTS") })
    }

    @Test(arguments: [
        "", "*", ":", "-A", "*nat\n:\n-A \n", "garbage\n*nat\n:KUBE-SERVICES", "*nat\n-A OUTPUT -j", "*nat\n-A OUTPUT x -j\n",
    ])
    func `are not found in malformed text`(text: String) {
        #expect(LeftoverRules.parse(text, catalogue: ours).isEmpty)
    }

    @Test func `are removed in one transaction per table`() {
        let left = Leftovers(
            .ipv4, chains: chains(.nat, "KUBE-SVC-B", "KUBE-SEP-A").union(chains(.mangle, "KUBE-PROXY-CANARY")),
            jumps: [Leftovers.Jump(.filter, from: "INPUT", "-m comment --comment \"kubernetes x\" -j KUBE-PROXY-FIREWALL")], hasTable: true)
        #expect(
            RulesText.remove(left) == """
                *filter
                -D INPUT -m comment --comment "kubernetes x" -j KUBE-PROXY-FIREWALL
                COMMIT
                *nat
                :KUBE-SEP-A - [0:0]
                :KUBE-SVC-B - [0:0]
                -X KUBE-SEP-A
                -X KUBE-SVC-B
                COMMIT
                *mangle
                :KUBE-PROXY-CANARY - [0:0]
                -X KUBE-PROXY-CANARY
                COMMIT

                """)
    }
}

@Suite struct `Rules of node proxies in another backend` {
    private func parse(_ text: String) -> BackendRules? { LeftoverRules.parse(text, in: .legacy, catalogue: ours) }

    @Test func `are those of both modes of kube-proxy and of this program, without those of the kubelet or an operator`() throws {
        let found = try #require(parse(saved))
        #expect(found.backend == .iptables(.legacy) && found.family == .ipv4)
        #expect(
            found.chains
                == LeftoverRules.parse(saved, catalogue: ours).chains
                .union(chains(.filter, "KUBE-FORWARD", "KUBE-PROXY-FIREWALL"))
                .union(chains(.nat, "KUBE-MARK-MASQ", "KUBE-POSTROUTING", "KUBE-SERVICES")))
        #expect(
            found.jumps.map { "\($0.table.rawValue) \($0.from) \($0.specification.split(separator: " ").last ?? "")" } == [
                "filter INPUT KUBE-PROXY-FIREWALL", "filter INPUT KUBE-NODEPORTS", "filter INPUT KUBE-EXTERNAL-SERVICES",
                "filter FORWARD KUBE-FORWARD", "filter OUTPUT KUBE-SERVICES", "nat PREROUTING KUBE-SERVICES", "nat OUTPUT KUBE-SERVICES",
            ])
    }

    @Test func `include every jump that this program inserts, each as often as it exists`() throws {
        let jumps = ours.jumps + ours.jumps.prefix(1)
        let text = Rules.Table.allCases.map { table in
            let chains = ours.chains.keys.filter { $0.table == table }.map { ":\($0.name) - [0:0]\n" }
            let rules = jumps.filter { $0.table == table }.map { "-A \($0.from) \(RuleText.text($0.rule, .ipv4))\n" }
            return "*\(table.rawValue)\n" + chains.joined() + rules.joined() + "COMMIT\n"
        }.joined()
        let found = try #require(parse(text))
        #expect(found.chains == Set(ours.chains.keys))
        #expect(found.jumps.count == jumps.count)
    }

    @Test func `stay if rules of others refer to them, such as those of a network plugin to KUBE-MARK-MASQ`() throws {
        let used = saved.replacing("-A KUBE-EXT-AAAA", with: "-A OPERATORS -p tcp -m tcp --dport 8080 -j KUBE-MARK-MASQ\n-A KUBE-EXT-AAAA")
        let (all, found) = (try #require(parse(saved)), try #require(parse(used)))
        #expect(all.chains.subtracting(found.chains) == chains(.nat, "KUBE-MARK-MASQ"))
        #expect(found.jumps == all.jumps)
        #expect(parse("*nat\n:KUBE-MARK-MASQ - [0:0]\n:OPERATORS - [0:0]\n-A OPERATORS -j KUBE-MARK-MASQ\nCOMMIT\n") == nil)
    }

    @Test func `are none among rules of others`() {
        #expect(parse("*filter\n:KUBE-FIREWALL - [0:0]\n-A INPUT -j KUBE-FIREWALL\nCOMMIT\n*nat\n:KUBE-MARK-DROP - [0:0]\nCOMMIT\n") == nil)
    }

    @Test(arguments: [
        ("iptables-nft-save v1.8.9 (nf_tables): Could not fetch rule set generation id: Invalid argument", true),
        ("iptables/1.8.7 Failed to initialize nft: Protocol not supported", true),
        ("ip6tables-legacy-save v1.8.9 (legacy): Cannot initialize: Address family not supported by protocol", true),
        ("iptables-nft-save v1.8.9 (nf_tables): CHAIN_LIST failed: Invalid argument", false),
        ("iptables-save v1.8.9 (nf_tables): table `nat' is incompatible, use 'nft' tool.", false),
        ("iptables-nft-save v1.8.9 (nf_tables): Could not fetch rule set generation id: Permission denied (you must be root)", false),
    ])
    func `are none if the kernel lacks the backend, and unknown after any other error`(standardError: String, isNone: Bool) throws {
        let listing = Command.Result(exitCode: 1, output: "", standardError: standardError)
        if isNone {
            #expect(try IPTables.completeRules(in: listing, of: "iptables-nft-save") == nil)
        } else {
            #expect(throws: DataplaneError.self) { try IPTables.completeRules(in: listing, of: "iptables-nft-save") }
        }
    }

    @Test func `are unknown if iptables-nft-save leaves out a table that it does not understand`() throws {
        func rules(_ table: String) throws -> String? {
            let output = "*filter\n:INPUT ACCEPT [0:0]\nCOMMIT\n# Table `\(table)' is incompatible, use 'nft' tool.\n"
            return try IPTables.completeRules(in: .init(exitCode: 0, output: output, standardError: ""), of: "ip6tables-nft-save")
        }
        let error = try #require(throws: DataplaneError.self) { try rules("nat") }
        #expect(
            error.description.contains("table nat") && error.description.contains("ip6tables-nft-save")
                && error.description.contains("nft list table ip6 nat"))
        #expect(try rules("security") != nil, "a node proxy has no rules in it")
    }

    @Test(arguments: [("", false), ("filter\nnat_of_others\n", false), ("filter\nnat\n", true)])
    func `may exist in the kernel if it has the legacy table nat`(names: String, expected: Bool) {
        #expect(LegacyTables.exist(among: [.nat], in: names) == expected)
    }

    @Test(arguments: [
        ("", false), ("security\nraw\n", false), ("nat_of_others\n", false), ("filter\n", true), ("raw\nmangle\n", true), ("nat\n", true),
    ])
    func `are read with a program only if the kernel has a legacy table for them`(names: String, expected: Bool) {
        #expect(LegacyTables.exist(among: Rules.Table.allCases, in: names) == expected)
    }
}
