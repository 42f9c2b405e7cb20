import Glibc
import Model
import SystemPackage
import Testing

@testable import KernelDataplane
@testable import Netlink
@testable import Translation

/// Runs on this machine's kernel in separate network namespaces: `make rules` runs them with `Integration/kernel/isolate`.
@Suite(.serialized, .enabled(if: getenv("KUBE_IPVS_ISOLATED") != nil, "run them with make rules"))
struct `On a real kernel without IPVS` {
    private let settings = TranslationSettings(
        nodeName: "node1", localTraffic: .clusterCIDR(["10.244.0.0/16", "fd00:244::/32"].compactMap { CIDR($0) }), hasRandomFully: true)

    private func makeSets() throws -> IPSetClient {
        let client = try IPSetClient()
        var batch = NetlinkBatch()
        for set in Translation.catalogue(settings).sets.values { try batch.add(try client.create(set)) }
        let failures = client.socket.execute(batch)
        #expect(failures.isEmpty, "\(failures)")
        return client
    }

    /// A rule listed differently would be rewritten by each sync.
    @Test(arguments: IPTables.Backend.allCases, IPFamily.allCases)
    func `iptables lists every rule as it was written`(backend: IPTables.Backend, family: IPFamily) async throws {
        let sets = try makeSets()
        let iptables: IPTables
        do {
            iptables = try await IPTables.detect(backend)
        } catch {
            // Newer kernels may lack legacy tables; every kernel has nftables.
            #expect(backend == .legacy, "\(error)")
            return
        }
        #expect(iptables.families.contains(family))
        for match in [LocalTraffic.clusterCIDR(settings.localTraffic.ranges), .bridgeInterface("cni0"), .interfaceNamePrefix("veth")] {
            let localTraffic = match.match(family, podCIDRs: [])
            let rules = ProxyRules(family: family, settings: settings, localTraffic: localTraffic, nonEmptySets: Set(KubeSet.allCases))
                .rules
            let prefix = try #require(iptables.prefixes[family])
            #expect(await MissingRuleParts().areNone(in: rules, prefix), "one process tests all parts, and leaves nothing")
            #expect(try await !iptables.saved(family).contains(TableTest.chain))
            try await iptables.restore(RulesText.restore(rules, missingJumps: rules.jumps), family)
            let found = try await iptables.listing(catalogue: rules).rules
            #expect(found.chains == rules.chains)
            #expect(Set(found.jumps) == Set(rules.jumps))
            let removed = try #require(LeftoverRules.parse(try await iptables.saved(family), in: backend, catalogue: rules))
            try await iptables.restore(RulesText.remove(removed), family)
            #expect(try await iptables.listing(catalogue: rules).rules == Rules(family))
        }
        _ = sets
    }

    @Test(arguments: IPFamily.allCases) func `the table of nftables mode is found and removed with its contents, and no other table`(
        family: IPFamily
    ) async throws {
        let nft = family == .ipv4 ? "ip" : "ip6"
        let client = try NFTablesClient()
        #expect(try !client.hasTable(Leftovers.tableName, family))
        try client.deleteTable(Leftovers.tableName, family)
        let tables = """
            table \(nft) kube-proxy {
              set cluster-ips { type \(family == .ipv4 ? "ipv4_addr" : "ipv6_addr"); }
              chain service-web { }
              chain services { type nat hook prerouting priority -100; tcp dport 80 jump service-web; }
            }
            table \(nft) operators { chain own { }; }

            """
        let created = try await Command.run("nft", ["-f", "-"], input: tables)
        #expect(created.succeeded, "\(created.standardError)")
        #expect(try client.hasTable(Leftovers.tableName, family))
        try client.deleteTable(Leftovers.tableName, family)
        #expect(try !client.hasTable(Leftovers.tableName, family) && client.hasTable("operators", family))
        let left = try await Command.run("nft", ["list", "tables", nft]).output
        #expect(left.contains("operators") && !left.contains("kube-proxy"), "\(left)")
        #expect(try await Command.run("nft", ["delete", "table", nft, "operators"]).succeeded)
    }

    @Test func `many set members are added in one batch, and only a failed request is reported`() throws {
        let client = try makeSets()
        let set = KubeSet.clusterIP.name(.ipv4)
        var batch = NetlinkBatch()
        let members = (1...5000 as ClosedRange<UInt32>).map {
            AddressSet.Member.addressPort(AddressPort(IPAddress(v4: 0x0a60_0000 + $0), 80), .tcp)
        }
        for member in members { try batch.add(try IPSetMessages.add(member, to: set)) }
        let place = batch.count
        try batch.add(try IPSetMessages.add(members[0], to: AddressSet.Name("NO-SUCH-SET")))
        try batch.add(try IPSetMessages.add(.addressPort(AddressPort(IPAddress(v4: 1), 1), .udp), to: set))
        let failures = client.socket.execute(batch)
        #expect(failures.keys.sorted() == [place])
        let found = try #require(try client.set(KubeSet.clusterIP.empty(.ipv4)))
        #expect(found.members.count == 5001)
    }

    @Test func `a set is replaced by a larger one with all its members`() throws {
        let client = try makeSets()
        var large = KubeSet.ipvsIPs.empty(.ipv6)
        large.capacity = 1 << 18
        for number in 0..<70_000 as Range<UInt64> {
            large.members.updateValue(nil, forKey: .address((IPAddress("fd00:96::") ?? IPAddress(v4: 0)).advanced(by: number)))
        }
        try client.replace(large)
        let found = try #require(try client.set(KubeSet.ipvsIPs.empty(.ipv6)))
        #expect(found.members.count == 70_000 && found.capacity == 1 << 18)
        #expect(try client.set(AddressSet(AddressSet.Name("kube-ipvs-proxy-swap"), kind: .hashIP, family: .ipv6)) == nil)
    }

    @Test(arguments: ["hash:net", "bitmap:port range 0-65535", "hash:ip family inet6"])
    func `a set of another type is replaced`(type: String) async throws {
        let client = try IPSetClient()
        let wanted = KubeSet.clusterIP.empty(.ipv4)
        // Other tests in this namespace may have created it.
        _ = try await Command.run("ipset", ["destroy", wanted.name.text])
        #expect(try await Command.run("ipset", ["create", wanted.name.text] + type.split(separator: " ").map(String.init)).succeeded)
        #expect(try #require(try client.set(wanted)).hasSameType(as: wanted) == false)
        var filled = wanted
        filled.members.updateValue(nil, forKey: .addressPort(AddressPort(IPAddress(v4: 0x0a60_0001), 80), .tcp))
        try client.replace(filled)
        #expect(try client.set(wanted) == filled)
        #expect(try await Command.run("ipset", ["destroy", wanted.name.text]).succeeded)
    }

    @Test(arguments: IPFamily.allCases) func `routes are replaced, read and deleted beside the addresses that the device has`(
        family: IPFamily
    ) throws {
        let client = try InterfaceClient()
        // Not every kernel has dummy devices; the loopback device has index 1.
        let device: UInt32 = 1
        try client.setUp(device)
        let text = family == .ipv4 ? ["10.96.77.1", "10.96.77.2", "127.0.0.1"] : ["fd00:96::77:1", "fd00:96::77:2", "::1"]
        let addresses = text.compactMap { IPAddress($0) }
        func run(_ messages: (inout NetlinkBatch) throws -> Void) throws -> [Int: NetlinkError] {
            var batch = NetlinkBatch()
            try messages(&batch)
            return client.socket.execute(batch)
        }
        func routes() throws -> [IPAddress: LocalRoute] {
            try client.routes(over: device).filter { addresses.contains($0.key) }
        }
        #expect(
            try run {
                try $0.add(try InterfaceMessages.newAddress(addresses[0], interface: device))
                for address in addresses.prefix(2) { try $0.add(try RouteMessages.replace(address, LocalRoute(), interface: device)) }
            }.isEmpty)
        #expect(try routes() == [addresses[0]: LocalRoute(), addresses[1]: LocalRoute()])
        #expect(
            try run { try $0.add(try RouteMessages.replace(addresses[0], LocalRoute(source: addresses[2]), interface: device)) }.isEmpty)
        #expect(try routes()[addresses[0]] == LocalRoute(source: addresses[2]))
        #expect(try client.addresses(on: device).on.contains(addresses[0]))
        let absent = try #require(IPAddress(family == .ipv4 ? "203.0.113.9" : "2001:db8::9"))
        #expect(
            try run { try $0.add(try RouteMessages.replace(addresses[1], LocalRoute(source: absent), interface: device)) }[0]?.code
                == .kernel(.invalidArgument))
        let failures = try run { batch in
            for address in addresses.prefix(2) + addresses.prefix(1) { try batch.add(try RouteMessages.delete(address, interface: device)) }
            try batch.add(try InterfaceMessages.deleteAddress(addresses[0], interface: device))
        }
        #expect(failures.mapValues(\.code) == [2: .kernel(.noSuchProcess)], "the kernel's own route is not ours")
        #expect(try routes().isEmpty)
    }

    @Test func `an rtnetlink error keeps the kernel's message`() throws {
        let client = try InterfaceClient()
        var batch = NetlinkBatch()
        try batch.add(try InterfaceMessages.newAddress(IPAddress(v4: 0x0a60_0001), interface: 4242))
        let failure = try #require(client.socket.execute(batch)[0])
        #expect(failure.code == .kernel(.operationNotSupportedByDevice))
        #expect(failure.detail != nil, "\(failure)")
        #expect(try client.addresses(on: nil).elsewhere.contains(IPAddress(v4: 0x7f00_0001)))
    }
}

extension LocalTraffic {
    fileprivate var ranges: [CIDR] { if case .clusterCIDR(let ranges) = self { ranges } else { [] } }
}
