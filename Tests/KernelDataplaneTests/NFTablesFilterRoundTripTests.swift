import Glibc
import Model
import Reconciler
import Testing

@testable import KernelDataplane
@testable import Translation

/// Runs on a real kernel in separate network namespaces: `make rules` runs them with `Integration/kernel/isolate`.
@Suite(.serialized, .enabled(if: getenv("KUBE_IPVS_ISOLATED") != nil, "run them with make rules"))
struct `On a real kernel, the packet filter nftables` {
    private let settings = TranslationSettings(
        nodeName: "node1", localTraffic: .clusterCIDR(["10.244.0.0/16", "fd00:244::/32"].compactMap { CIDR($0) }), packetFilter: .nftables)
    private let catalogue: NodeState

    init() { catalogue = Translation.catalogue(settings) }

    private func sets(_ family: IPFamily) -> [AddressSet] { catalogue.sets.values.filter { $0.family == family } }

    private func members(_ set: AddressSet, _ family: IPFamily) throws -> [AddressSet.Member] {
        let (vip, pod, net) =
            family == .ipv4 ? ("10.96.0.1", "10.244.1.5", "203.0.113.0/24") : ("fd00:96::1", "fd00:244:1::5", "2001:db8:1::/48")
        let location = AddressPort(try #require(IPAddress(vip)), 443)
        let source = try #require(IPAddress(pod))
        return switch set.kind {
        case .hashIP: [.address(location.address), .address(source)]
        case .hashIPPort: Transport.allCases.map { .addressPort(location, $0) }
        case .hashIPPortIP: [.addressPortAddress(location, .tcp, source)]
        case .hashIPPortNet:
            [.addressPortNet(location, .tcp, try #require(CIDR(net))), .addressPortNet(location, .udp, CIDR(host: source))]
        case .bitmapPort: [.port(1), .port(30080), .port(65535)]
        }
    }

    /// Creates all sets with members and all rules.
    private func write(_ filter: NFTablesFilter, _ family: IPFamily, _ traffic: LocalTraffic.Match?) async throws -> Rules {
        let sets = try SetStore(.nftables)
        var operations: [Operation] = self.sets(family).map { .createSet($0) }
        for set in self.sets(family) { operations += try members(set, family).map { .addMember(set.name, $0, nil) } }
        let failures = sets.apply(operations[...])
        #expect(failures.isEmpty, "\(failures)")
        for set in self.sets(family) {
            let found = try #require(try sets.set(set))
            let expected = Set(try members(set, family))
            #expect(found.kind == set.kind && Set(found.members.keys) == expected, "\(set.name)")
        }
        let location = AddressPort(try #require(IPAddress(family == .ipv4 ? "192.0.2.50" : "2001:db8::50")), 80)
        let rules = ProxyRules(
            family: family, settings: settings, localTraffic: traffic, nonEmptySets: [], closedToNode: [.init(.tcp, location)],
            hasRoutes: family == .ipv6
        ).rules
        _ = try await filter.apply(.restoreRules(rules, missingJumps: rules.jumps))
        return rules
    }

    /// Without the elements of sets: the kernel may reorder them between two listings.
    private func list(_ family: IPFamily) async throws -> String {
        try await run(["--stateless", "--terse", "list", "table", family.nftName, BackendRules.tableName])
    }

    private func run(_ arguments: [String], input: String = "") async throws -> String {
        let result = try await Command.run("nft", arguments, input: input)
        #expect(result.succeeded, "\(arguments): \(result.standardError)")
        return result.output
    }

    @Test(arguments: IPFamily.allCases) func `reads rules and sets as they were written, in any form of local traffic`(
        family: IPFamily
    ) async throws {
        let filter = try NFTablesFilter(catalogue: catalogue)
        let all: [LocalTraffic] = [settings.localTraffic, .bridgeInterface("cni0"), .interfaceNamePrefix("veth"), .clusterCIDR([])]
        for traffic in all {
            let rules = try await write(filter, family, traffic.match(family, podCIDRs: []))
            let found = try await filter.observe(family)
            #expect(found.rules == rules)
        }
        let listing = try await list(family)
        for chain in ["nat-prerouting", "nat-output", "nat-postrouting", "filter-input", "filter-forward", "filter-output"] {
            #expect(listing.contains("chain \(chain) {"), "\(listing)")
        }
        #expect(listing.contains("masquerade fully-random"))

        // Restoring rules over what others changed gives the same table.
        _ = try await run(
            ["-f", "-"],
            input: """
                add rule \(family.nftTable) nat-KUBE-SERVICES counter accept
                flush chain \(family.nftTable) filter-input
                flush chain \(family.nftTable) nat-postrouting
                delete chain \(family.nftTable) nat-postrouting
                add chain \(family.nftTable) of-others { type filter hook forward priority 3; }

                """)
        let changed = try await filter.observe(family).rules
        let wanted = try await write(filter, family, nil)
        #expect(changed != wanted)
        #expect(try await filter.observe(family).rules == wanted)
        #expect(try await !list(family).contains("of-others"))
        try NFTablesClient().deleteTable(BackendRules.tableName, family)
        #expect(try await filter.observe(family).rules == Rules(family, in: .nftables))
    }

    /// nft 1.0.6 writes an expression for these that Linux 6.12 refuses.
    private let refused = KubeSet.loadBalancerSourceCIDR

    @Test(arguments: IPFamily.allCases) func `shows rules in the syntax of nft, which writes the same rules`(family: IPFamily) async throws
    {
        let filter = try NFTablesFilter(catalogue: catalogue)
        let rules = try await write(filter, family, settings.localTraffic.match(family, podCIDRs: []))
        let written = try await list(family)
        let kinds = catalogue.sets.mapValues(\.kind)
        var script = ""
        for (chain, rules) in rules.chains {
            let hasRefused = rules.contains {
                $0.matches.contains { if case .set(refused.name(family, in: .nftables), _) = $0 { true } else { false } }
            }
            guard !hasRefused else { continue }
            script += "flush chain \(family.nftTable) \(RuleExpressions.name(chain))\n"
            for rule in rules {
                script +=
                    "add rule \(family.nftTable) \(RuleExpressions.name(chain)) \(RuleNotation.text(rule, family, in: chain, kinds))\n"
            }
        }
        _ = try await run(["-f", "-"], input: script)
        #expect(try await list(family) == written)
        try NFTablesClient().deleteTable(BackendRules.tableName, family)
    }

    /// Ranges of a Service do not overlap, but may change from wide to narrow and back before the old ones are removed.
    @Test(arguments: IPFamily.allCases) func `replaces ranges by overlapping ones`(family: IPFamily) throws {
        let store = try SetStore(.nftables)
        let set = KubeSet.loadBalancerSourceCIDR.empty(family, in: .nftables)
        let location = AddressPort(try #require(IPAddress(family == .ipv4 ? "192.0.2.50" : "2001:db8::50")), 80)
        func members(_ texts: String...) -> [AddressSet.Member] {
            texts.compactMap { CIDR($0) }.filter { $0.family == family }.map { .addressPortNet(location, .tcp, $0) }
        }
        let (wide, narrow) = (members("10.0.0.0/8", "fd00::/8"), members("10.1.0.0/16", "10.2.0.0/16", "fd00:1::/32", "fd00:2::/32"))
        func change(_ added: [AddressSet.Member], _ removed: [AddressSet.Member]) throws {
            #expect(store.apply(added.map { .addMember(set.name, $0, nil) }[...]).isEmpty)
            #expect(store.apply(removed.map { .removeMember(set.name, $0) }[...]).isEmpty)
            #expect(Set(try #require(try store.set(set)).members.keys) == Set(added))
        }
        #expect(store.apply([.createSet(set)]).isEmpty)
        try change(wide, [])
        try change(narrow, wide)
        try change(wide, narrow)
        // In one transaction, as in a sync that changes nothing else.
        for (added, removed) in [(narrow, wide), (wide, narrow), (narrow, wide)] {
            let operations: [Operation] = added.map { .addMember(set.name, $0, nil) } + removed.map { .removeMember(set.name, $0) }
            #expect(store.apply(operations[...]).isEmpty)
            let found = try #require(try store.set(set))
            #expect(Set(found.members.keys) == Set(added))
        }
        try NFTablesClient().deleteTable(BackendRules.tableName, family)
    }

    @Test func `reports operations that fail, carries out the others, and ignores what is already removed`() throws {
        let store = try SetStore(.nftables)
        let set = KubeSet.clusterIP.empty(.ipv4, in: .nftables)
        func member(_ number: UInt32) -> AddressSet.Member { .addressPort(AddressPort(IPAddress(v4: number), 80), .tcp) }
        let missing = AddressSet.Name("KUBE-MISSING", in: .table(.ipv4))
        let failures = store.apply(
            [
                .createSet(set), .addMember(set.name, member(1), nil), .addMember(missing, member(1), nil),
                .addMember(set.name, member(2), nil),
                .removeMember(set.name, member(9)), .removeMember(missing, member(1)),
            ])
        #expect(failures.map(\.operation) == [.addMember(missing, member(1), nil)], "\(failures)")
        #expect(failures.first?.reason.contains("no such file") ?? false, "\(failures)")
        #expect(Set(try #require(try store.set(set)).members.keys) == [member(1), member(2)])
        try NFTablesClient().deleteTable(BackendRules.tableName, .ipv4)
    }
}
