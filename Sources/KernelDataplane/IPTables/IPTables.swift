public import Model

/// The programs that hold the rules of this node.
///
/// Two generations of iptables write into two different places of the kernel, and rules in the wrong one do nothing: all programs of a node must use the same.
public struct IPTables: Sendable {
    public enum Backend: String, Sendable, CaseIterable {
        case legacy, nft
    }

    public let backend: Backend
    /// Families whose `nat` table works.
    public let families: Set<IPFamily>
    /// Whether MASQUERADE takes `--random-fully` (iptables 1.6.2 and later).
    public let hasRandomFully: Bool
    /// The name that the programs begin with: `iptables` or `iptables-legacy`, `ip6tables`…
    private let prefixes: [IPFamily: String]

    /// Chains that the kubelet puts into the place it uses, so that others can follow (KEP-3178).
    private static let hints = [":KUBE-IPTABLES-HINT ", ":KUBE-KUBELET-CANARY "]

    /// Seconds to wait for another program's lock.
    private static let lockWait = "5"

    // MARK: Finding the right programs

    /// - Parameters:
    ///   - choice: nil finds out: where the kubelet left its hint, else where a node proxy's rules are, else what the plain name stands for, else whichever works.
    ///   - trying: whether to see if the kernel takes a rule, by a chain that is made and removed in one transaction; without it, only that the programs run.
    public static func detect(_ choice: Backend?, trying: Bool = true) async throws(DataplaneError) -> IPTables {
        var refusals: [String] = []
        let plain = await backendOfPlainName()
        for backend in await order(choice, plain: plain) {
            switch try await probe(backend, plain: plain, trying: trying) {
            case .success(let found): return found
            case .failure(let error): refusals.append("\(backend.rawValue): \(error.reason)")
            }
        }
        throw DataplaneError(
            "iptables",
            "no working nat table (\(refusals.joined(separator: "; "))): install iptables (apt-get install iptables), run as root, and have the kernel modules iptable_nat or nft_chain_nat"
        )
    }

    private static func order(_ choice: Backend?, plain: Backend?) async -> [Backend] {
        if let choice { return [choice] }
        var saved: [Backend: String] = [:]
        for backend in Backend.allCases {
            // A program that is not there has no rules: the probe that follows says so if it matters.
            saved[backend] = try? await Command.run("iptables-\(backend.rawValue)-save", []).output
        }
        for signs in [hints, [":KUBE-POSTROUTING "]] {
            for backend in [Backend.nft, .legacy] where signs.contains(where: { saved[backend]?.contains($0) == true }) {
                return [backend] + Backend.allCases.filter { $0 != backend }
            }
        }
        return plain == .legacy ? [.legacy, .nft] : [.nft, .legacy]
    }

    private static func backendOfPlainName() async -> Backend? {
        // Without the plain name there is nothing that it could stand for.
        guard let version = try? await Command.run("iptables", ["--version"]), version.succeeded else { return nil }
        return version.output.contains("nf_tables") ? .nft : .legacy
    }

    private static func probe(_ backend: Backend, plain: Backend?, trying: Bool) async throws(DataplaneError) -> Result<
        IPTables, DataplaneError
    > {
        var prefixes: [IPFamily: String] = [:]
        var complaint = "not found"
        for family in IPFamily.allCases {
            for prefix in names(family, backend, plain: plain) {
                // A program that cannot be run is not there; the complaint of the last family that was tried says so.
                guard let attempt = try? await (trying ? tryRule(prefix) : Command.run(prefix, ["--version"])) else { continue }
                if attempt.succeeded {
                    prefixes[family] = prefix
                    break
                }
                complaint = attempt.complaint
            }
        }
        guard let prefix = prefixes.values.first else { return .failure(DataplaneError("iptables", complaint)) }
        let version = try await Command.run(prefix, ["--version"]).output
        return .success(
            IPTables(backend: backend, families: Set(prefixes.keys), hasRandomFully: isAtLeast1_6_2(version), prefixes: prefixes))
    }

    /// Listing proves nothing: a kernel without the tables has an empty list.
    private static func tryRule(_ prefix: String) async throws(DataplaneError) -> Command.Result {
        let chain = "KUBE-IPVS-PROXY-PROBE"
        return try await Command.run(
            "\(prefix)-restore", ["-w", lockWait, "--noflush"], input: "*nat\n:\(chain) - [0:0]\n-X \(chain)\nCOMMIT\n")
    }

    /// The name that says the backend first; some distributions have only the plain one.
    private static func names(_ family: IPFamily, _ backend: Backend, plain: Backend?) -> [String] {
        let name = family == .ipv4 ? "iptables" : "ip6tables"
        return ["\(name)-\(backend.rawValue)"] + (plain == backend ? [name] : [])
    }

    /// From `iptables v1.8.9 (legacy)`.
    static func isAtLeast1_6_2(_ version: String) -> Bool {
        let numbers = version.drop { $0 != "v" }.dropFirst().prefix { $0.isNumber || $0 == "." }.split(separator: ".").compactMap {
            Int($0)
        }
        return !numbers.isEmpty && !numbers.lexicographicallyPrecedes([1, 6, 2])
    }

    // MARK: Using them

    /// What node proxies left in one place, of one family: our chains and jumps, and those of kube-proxy's iptables mode.
    public struct Remains: Sendable {
        private let iptables: IPTables
        private let rules: Rules
        private let left: Leftovers

        fileprivate init?(_ iptables: IPTables, _ catalogue: Rules) async throws(DataplaneError) {
            let saved = try await iptables.saved(catalogue.family)
            self.iptables = iptables
            rules = RulesText.parse(saved, catalogue: catalogue)
            left = LeftoverText.parse(saved, catalogue: catalogue)
            if rules.chains.isEmpty && rules.jumps.isEmpty && !left.hasRules { return nil }
        }

        public var chainCount: Int { rules.chains.count + left.chains.count }

        /// The command that a person would type for the same effect.
        public var command: String {
            let program = iptables.prefixes[rules.family] ?? ""
            return "\(program)-restore --noflush (remove \(rules.jumps.count + left.jumps.count) jumps, \(chainCount) chains)"
        }

        public func remove() async throws(DataplaneError) { try await iptables.restore(RulesText.remove(rules, left), rules.family) }
    }

    /// Finds them wherever they are: a node may have changed from one generation of iptables to the other since they were made.
    public static func remains(of catalogue: [Rules], in choice: Backend?) async throws(DataplaneError) -> [Remains] {
        var all: [Remains] = []
        for backend in choice.map({ [$0] }) ?? Backend.allCases {
            guard case .success(let iptables) = try await probe(backend, plain: await backendOfPlainName(), trying: false) else { continue }
            for rules in catalogue {
                if let remains = try await Remains(iptables, rules) { all.append(remains) }
            }
        }
        return all
    }

    /// Our chains and jumps of a family, as the kernel holds them.
    func rules(catalogue: Rules) async throws(DataplaneError) -> Rules { try await listing(catalogue: catalogue).rules }

    /// The same with what they have counted.
    func listing(catalogue: Rules) async throws(DataplaneError) -> RulesText.Listing {
        RulesText.listing(try await saved(catalogue.family), catalogue: catalogue)
    }

    /// All rules of a family and what they have counted, as `iptables-save -c` prints them.
    func saved(_ family: IPFamily) async throws(DataplaneError) -> String {
        guard let prefix = prefixes[family] else { return "" }
        let listing = try await Command.run("\(prefix)-save", ["-c"])
        guard listing.succeeded else { throw DataplaneError("\(prefix)-save", listing.complaint) }
        return listing.output
    }

    func restore(_ text: String, _ family: IPFamily) async throws(DataplaneError) {
        guard let prefix = prefixes[family] else {
            throw DataplaneError("iptables", "there is no working nat table for \(family.rawValue)")
        }
        let result = try await Command.run("\(prefix)-restore", ["-w", IPTables.lockWait, "--noflush", "--counters"], input: text)
        guard result.succeeded else { throw DataplaneError("\(prefix)-restore", result.complaint) }
    }
}
