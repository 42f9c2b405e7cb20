internal import Model

/// Finds the leftover rules of kube-proxy's iptables mode in the output of `iptables-save`, the chains in which a killed process tested the
/// kernel, and the rules of ipvs mode in a backend that is not in use.
///
/// The other names are kube-proxy's (pkg/proxy/iptables/proxier.go, `CleanupLeftovers`), with those of earlier versions. The kubelet's chains
/// (`KUBE-FIREWALL`, `KUBE-MARK-DROP`, `KUBE-KUBELET-CANARY`, `KUBE-IPTABLES-HINT`) are excluded, as are chains that ipvs mode has too.
struct LeftoverRules {
    private static let names = Set(Rules.Table.allCases.map { Rules.Chain($0, TableTest.chain) }).union([
        Rules.Chain(.nat, "KUBE-NODEPORTS"), Rules.Chain(.nat, "KUBE-PROXY-CANARY"),
        Rules.Chain(.filter, "KUBE-SERVICES"), Rules.Chain(.filter, "KUBE-EXTERNAL-SERVICES"), Rules.Chain(.filter, "KUBE-NODEPORTS"),
        Rules.Chain(.filter, "KUBE-PROXY-CANARY"), Rules.Chain(.mangle, "KUBE-PROXY-CANARY"),
    ])

    /// Chains of a Service or an endpoint, followed by a hash. `KUBE-XLB-` is from versions before 1.24.
    private static let prefixes = ["KUBE-SVC-", "KUBE-SVL-", "KUBE-SEP-", "KUBE-FW-", "KUBE-EXT-", "KUBE-XLB-"]

    /// Jumps of iptables mode to chains that ipvs mode has too.
    private static let otherJumps: Set<Substring> = [
        "-m conntrack --ctstate NEW -m comment --comment \"kubernetes load balancer firewall\" -j KUBE-PROXY-FIREWALL"
    ]

    private static let builtIn: Set<Substring> = ["INPUT", "FORWARD", "OUTPUT", "PREROUTING", "POSTROUTING"]

    private let catalogue: Rules
    /// Whether the rules of ipvs mode are leftover too.
    private let includesOurs: Bool
    private var found: Leftovers
    private var table: Rules.Table?
    /// The leftover chains that each leftover chain jumps to.
    private var targets: [Rules.Chain: Set<Rules.Chain>] = [:]
    /// Leftover chains that rules of others jump to.
    private var inUse: Set<Rules.Chain> = []

    /// - Parameter catalogue: the proxy's chains; their jumps do not count, as their rules are replaced at startup.
    static func parse(_ saved: String, catalogue: Rules) -> Leftovers {
        LeftoverRules(saved, catalogue, includesOurs: false).found
    }

    /// Finds the rules of node proxies in a backend that is not in use; nil if there are none.
    ///
    /// - Parameter catalogue: the proxy's chains and jumps.
    static func parse(_ saved: String, in backend: IPTablesBackend, catalogue: Rules) -> BackendRules? {
        let found = LeftoverRules(saved, catalogue, includesOurs: true).found
        return found.hasRules ? BackendRules(.iptables(backend), catalogue.family, chains: found.chains, jumps: found.jumps) : nil
    }

    private init(_ saved: String, _ catalogue: Rules, includesOurs: Bool) {
        self.catalogue = catalogue
        self.includesOurs = includesOurs
        found = Leftovers(catalogue.family)
        // The chains of a table precede its rules.
        for line in saved.split(separator: "\n") { read(line) }
        keepChainsInUse()
    }

    private mutating func read(_ line: Substring) {
        switch line.first {
        case "*": table = Rules.Table(rawValue: String(line.dropFirst()))
        case ":":
            guard let table, let name = line.dropFirst().split(separator: " ").first else { return }
            let chain = Rules.Chain(table, String(name))
            if isLeftOver(chain) { found.chains.insert(chain) }
        case "-", "[":
            let words = RulesText.counted(line).rule.split(separator: " ", maxSplits: 2)
            guard let table, words.count == 3, words[0] == "-A" else { return }
            readRule(table, words[1], words[2])
        default: return
        }
    }

    private func isLeftOver(_ chain: Rules.Chain) -> Bool {
        LeftoverRules.names.contains(chain) || chain.table == .nat && LeftoverRules.prefixes.contains(where: chain.name.hasPrefix)
            || includesOurs && catalogue.chains[chain] != nil
    }

    /// Whether a rule of a built-in chain to a leftover chain is from a node proxy.
    private func isJump(_ table: Rules.Table, _ from: Substring, _ specification: Substring) -> Bool {
        specification.contains("--comment \"kubernetes ")
            || catalogue.jump(table, from: from, specification) != nil
    }

    private mutating func readRule(_ table: Rules.Table, _ from: Substring, _ specification: Substring) {
        if LeftoverRules.builtIn.contains(from), LeftoverRules.otherJumps.contains(specification) {
            return found.jumps.append(Leftovers.Jump(table, from: String(from), String(specification)))
        }
        guard let name = LeftoverRules.target(of: specification) else { return }
        let (chain, target) = (Rules.Chain(table, String(from)), Rules.Chain(table, String(name)))
        guard found.chains.contains(target) else { return }
        if found.chains.contains(chain) {
            targets[chain, default: []].insert(target)
        } else if LeftoverRules.builtIn.contains(from), isJump(table, from, specification) {
            found.jumps.append(Leftovers.Jump(table, from: String(from), String(specification)))
        } else if catalogue.chains[chain] == nil {
            inUse.insert(target)
        }
    }

    /// The word after `-j` or `-g`; a comment may contain these too, but precedes them.
    private static func target(of specification: Substring) -> Substring? {
        let words = specification.split(separator: " ")
        guard let place = words.lastIndex(where: { $0 == "-j" || $0 == "-g" }), place + 1 < words.count else { return nil }
        return words[place + 1]
    }

    /// A chain cannot be deleted while a rule of others jumps to it, nor can the chains that it jumps to.
    private mutating func keepChainsInUse() {
        var rest = Array(inUse)
        while let chain = rest.popLast() {
            guard found.chains.remove(chain) != nil else { continue }
            rest += targets[chain] ?? []
        }
        // A jump to a chain that stays must stay too.
        found.jumps = found.jumps.filter { jump in
            guard let name = LeftoverRules.target(of: jump.specification[...]) else { return true }
            let target = Rules.Chain(jump.table, String(name))
            return !isLeftOver(target) || found.chains.contains(target)
        }
    }
}
