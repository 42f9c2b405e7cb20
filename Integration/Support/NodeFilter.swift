/// The sets and rules of a node, read and changed with independent tools: ipset and iptables, or nft if the tests have no iptables.
///
/// Members of sets have ipset's form, such as `10.96.0.10,tcp:80`, or `30080`.
package struct NodeFilter: Sendable {
    /// Of the node.
    private let namespace: String

    package init(_ namespace: String = "node1") { self.namespace = namespace }

    // MARK: Reading

    /// Returns the members of an existing set, sorted.
    package func members(of set: String) async throws -> [String] {
        if Place.hasIPTables { return Self.members(inSaved: try await run("ipset save \(set)")).map(\.member).sorted() }
        let ruleset = Ruleset(parsing: try await run("nft list set \(Self.table(of: set)) \(set)"))
        return ruleset.objects.values.flatMap(\.elements).map { Self.member(of: $0) }.sorted()
    }

    /// Returns the members of all sets of Services with their set, sorted: `KUBE-CLUSTER-IP 10.96.0.10,tcp:80`.
    package func members() async throws -> [String] {
        if Place.hasIPTables { return Self.members(inSaved: try await run("ipset save")).map { "\($0.set) \($0.member)" }.sorted() }
        return try await ruleset().objects.filter { $0.key.contains(" set KUBE-") }.flatMap { name, object in
            object.elements.map { "\(name.split(separator: " ").last ?? "") \(Self.member(of: $0))" }
        }.sorted()
    }

    /// Returns the names of all sets, sorted.
    package func sets() async throws -> [String] {
        if Place.hasIPTables { return try await run("ipset list -n").split(separator: "\n").map(String.init).sorted() }
        // ip kube-ipvs-proxy set KUBE-CLUSTER-IP
        let names = try await ruleset().objects.keys.map { $0.split(separator: " ").map(String.init) }
        return names.filter { $0.count == 4 && $0[2] == "set" }.map { $0[3] }.sorted()
    }

    /// Returns the rules of both families, without counters, each with its chain.
    package func rules() async throws -> [String] {
        if Place.hasIPTables {
            return try await run(Self.savedRules).split(separator: "\n").filter { $0.hasPrefix("-A ") }.map(String.init)
        }
        return try await ruleset().objects.filter { $0.key.contains(" chain ") }.flatMap { chain, object in
            object.lines.map { "\(chain): \($0)" }
        }
    }

    /// Returns all sets and rules in an order that does not depend on when they were created, without counters and built-in chains.
    package func dump() async throws -> [String] {
        if Place.hasIPTables { return try await run("ipset save | sort; \(Self.savedRules)").split(separator: "\n").map(String.init) }
        return try await ruleset().objects.map { "\($0): \($1.lines.joined(separator: "; ")) { \($1.elements.joined(separator: ", ")) }" }
            .sorted()
    }

    /// Returns the number of packets that the rules of a chain of the table `filter` dropped.
    package func droppedPackets(by chain: String, isV6: Bool) async throws -> Int {
        if Place.hasIPTables {
            let listing = try await run("\(isV6 ? "ip6tables" : "iptables")-\(Place.iptables) -t filter -L \(chain) -v -x -n")
            let lines = listing.split(separator: "\n").map { $0.split(whereSeparator: \.isWhitespace) }
            return lines.filter { $0.count > 2 && $0[2] == "DROP" }.reduce(0) { $0 + (Int($1[0]) ?? 0) }
        }
        let table = Self.table(isV6: isV6)
        let rules = try await run("nft list chain \(table) filter-\(chain)").split(separator: "\n").filter { $0.contains(" drop") }
        // counter name "source-ranges", quoted by some versions, or counter packets 3 bytes 90
        var listings = rules.filter { !$0.contains("counter name ") }.map(String.init)
        for name in Set(rules.compactMap { $0.firstMatch(of: /counter name "?([^" ]+)/)?.1 }) {
            listings.append(try await run("nft list counter \(table) \(name)"))
        }
        return try listings.reduce(0) { count, listing in
            guard let packets = listing.firstMatch(of: /packets ([0-9]+)/)?.1 else {
                throw Shell.Failure(script: "packets of a counter in \(chain)", output: listing)
            }
            return count + (Int(packets) ?? 0)
        }
    }

    private func run(_ command: String) async throws -> String { try await Shell.output(in: namespace, command) }

    private func ruleset() async throws -> Ruleset { Ruleset(parsing: try await run("nft -s list ruleset")) }

    /// Chains except for built-in ones, as empty ones of iptables-nft stay, and rules.
    private static let savedRules = """
        { iptables-\(Place.iptables)-save; ip6tables-\(Place.iptables)-save; } | { grep -E '^-|^:[^ ]+ -' || true; } | sed 's/ *\\[.*//'
        """

    /// - Parameter text: lines such as `add KUBE-CLUSTER-IP 10.96.0.10,tcp:80`.
    private static func members(inSaved text: String) -> [(set: String, member: String)] {
        let lines = text.split(separator: "\n").map { $0.split(separator: " ").map(String.init) }
        return lines.filter { $0.count > 2 && $0[0] == "add" }.map { ($0[1], $0[2]) }
    }

    // MARK: Texts

    /// The table of nftables that has a family's sets and rules.
    package static func table(isV6: Bool) -> String { isV6 ? "ip6 kube-ipvs-proxy" : "ip kube-ipvs-proxy" }

    private static func table(of set: String) -> String { table(isV6: set.hasPrefix("KUBE-6-")) }

    /// The command that adds a member, or removes it, which is also the proxy's name for that operation.
    package static func adding(_ member: String, to set: String) -> String {
        Place.hasIPTables ? "ipset add \(set) \(member)" : "nft add element \(table(of: set)) \(set) { \(element(of: member)) }"
    }

    package static func removing(_ member: String, from set: String) -> String {
        Place.hasIPTables ? "ipset del \(set) \(member)" : "nft delete element \(table(of: set)) \(set) { \(element(of: member)) }"
    }

    /// The part of a rule that looks up a packet in a set.
    package static func lookup(in set: String) -> String { Place.hasIPTables ? "--match-set \(set) " : "@\(set) " }

    /// The part of a rule that excludes packets from an IPv4 range.
    package static func isNotFrom(_ range: String) -> String { Place.hasIPTables ? "! -s \(range)" : "ip saddr != \(range)" }

    /// `10.96.0.10 . tcp . 80` for `10.96.0.10,tcp:80`.
    private static func element(of member: String) -> String {
        member.split(separator: ",").map { $0.replacing(/^(tcp|udp|sctp):/) { "\($0.1) . " } }.joined(separator: " . ")
    }

    private static func member(of element: String) -> String {
        element.replacing(" . ", with: ",").replacing(/,(tcp|udp|sctp),/) { ",\($0.1):" }
    }
}
