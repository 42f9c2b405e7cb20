public import Model
public import StatusAPI

/// The path of a packet to an address and port through the proxy's kernel state, from the first rule to the real server.
public struct Explanation: Hashable, Sendable {
    public var destination: VirtualServer.Identity
    /// The explanation as text, line by line.
    public private(set) var lines: [String] = []
    /// What blocks the traffic; empty if nothing does.
    public private(set) var obstacles: [String] = []

    /// - Parameters:
    ///   - kernel: The observed state: the virtual server, its address, and all sets and rules.
    ///   - known: The virtual server in the proxy's report; nil if it is unknown or there is no report.
    ///   - isHeldElsewhere: Whether another interface of this node has the address.
    public init(
        _ destination: VirtualServer.Identity, kernel: NodeState, known: ProxyReport.Server?, proxyAnswered: Bool, isHeldElsewhere: Bool
    ) {
        self.destination = destination
        if let known {
            lines.append("\(destination) is \(known.servicePort) (\(known.addressKind))")
        } else {
            lines.append(
                "\(destination) \(proxyAnswered ? "does not belong to any Service known to the proxy" : "(no proxy answered: Service unknown)")"
            )
        }
        walk(.nat, "PREROUTING", "Traffic from pods and other hosts", kernel)
        walk(.nat, "OUTPUT", "Traffic from this node", kernel)
        explainAddress(kernel, isHeldElsewhere)
        walk(.filter, "INPUT", "Input filter", kernel)
        explainServers(kernel.virtualServers[destination], known)
        walk(.nat, "POSTROUTING", "Traffic to the real server", kernel)
        lines = lines.map(\.printable)
        obstacles = obstacles.map(\.printable)
        if obstacles.isEmpty {
            lines.append("No obstacles found.")
        } else {
            lines += ["Obstacles:"] + obstacles.map { "  \($0)" }
        }
    }

    private mutating func explainAddress(_ kernel: NodeState, _ isHeldElsewhere: Bool) {
        let address = destination.location.address
        if kernel.addresses[address] != nil {
            lines.append("Address: \(address) is on \(NodeState.deviceName): the node accepts the packet")
        } else if isHeldElsewhere {
            lines.append("Address: \(address) is on another interface of this node: the node accepts the packet")
        } else {
            obstacles.append("\(address) is not on any interface of this node: the node forwards packets to it without IPVS")
        }
    }

    private mutating func explainServers(_ server: VirtualServer?, _ known: ProxyReport.Server?) {
        guard let server else {
            obstacles.append("IPVS has no virtual server \(destination.ipvsadmArguments)")
            return
        }
        let flags = server.flags.contains(.persistent) ? ", persistence timeout \(server.timeout) s" : ""
        lines.append("IPVS: \(destination.ipvsadmArguments), scheduler \(server.scheduler)\(flags)")
        var endpoints: [AddressPort: ProxyReport.Endpoint] = [:]
        for endpoint in known?.realServers ?? [] {
            if let address = IPAddress(endpoint.address) { endpoints[AddressPort(address, endpoint.port)] = endpoint }
        }
        for real in server.realServers.values.sorted(by: { $0.location < $1.location }) {
            let endpoint = endpoints[real.location]
            let names = [endpoint?.pod.map { "pod \($0)" }, endpoint?.node.map { "on \($0)" }].compactMap(\.self).joined(separator: " ")
            let state = real.weight == 0 ? "takes no new connections" : "weight \(real.weight)"
            lines.append("  -> \(real.location)  \(state)\(names.isEmpty ? "" : "  \(names)")")
        }
        if server.realServers.isEmpty {
            obstacles.append("the virtual server has no real servers\(known?.whyEmpty.map { ": \($0)" } ?? "")")
        } else if server.realServers.values.allSatisfy({ $0.weight == 0 }) {
            obstacles.append("all real servers have weight 0 and accept no new connections")
        }
    }

    // MARK: Rules

    private mutating func walk(_ table: Rules.Table, _ hook: String, _ title: String, _ kernel: NodeState) {
        guard let rules = kernel.rules[destination.family] else { return }
        var reported: [String] = []
        for jump in rules.jumps where jump.table == table && jump.from == hook {
            var visited: Set<Rules.Chain> = []
            reported.append("  -A \(hook) \(jump.specification)")
            _ = walk(Rules.Chain(table, jump.to), rules, kernel.sets, &reported, &visited)
        }
        lines.append("\(title), \(table.rawValue) \(hook):\(reported.isEmpty ? " no rules of the proxy" : "")")
        lines += reported
    }

    /// - Returns: Whether the packet certainly does not continue after the chain.
    private mutating func walk(
        _ chain: Rules.Chain, _ rules: Rules, _ sets: [AddressSet.Name: AddressSet], _ reported: inout [String],
        _ visited: inout Set<Rules.Chain>
    ) -> Bool {
        guard visited.insert(chain).inserted else { return false }
        for rule in rules.chains[chain] ?? [] {
            let condition = RuleCondition(rule, destination, sets)
            guard condition.verdict != .no else { continue }
            let caveat = condition.verdict == .perhaps ? ["match depends on more than the destination"] : []
            let notes = condition.reasons + caveat
            reported.append("  -A \(chain.name) \(rule)\(notes.isEmpty ? "" : "  # \(notes.joined(separator: "; "))")")
            let isSure = condition.verdict == .yes
            switch condition.target {
            case "DROP", "REJECT":
                guard isSure else { continue }
                obstacles.append("dropped by \(chain): \(rule)")
                return true
            case "ACCEPT", "MASQUERADE":
                if isSure { return true }
            case "RETURN":
                if isSure { return false }
            default:
                if walk(Rules.Chain(chain.table, condition.target), rules, sets, &reported, &visited), isSure { return true }
            }
        }
        return false
    }
}

/// Whether a packet to an address and port matches a rule, as far as the destination determines it.
struct RuleCondition {
    enum Verdict: Hashable { case no, perhaps, yes }

    private(set) var verdict = Verdict.yes
    /// Why the rule matches: `10.96.0.10,tcp:80 is in KUBE-CLUSTER-IP`.
    private(set) var reasons: [String] = []
    /// The target of the rule; empty if it has none.
    private(set) var target = ""

    /// - Parameter rule: The text after `-A <chain> ` in `iptables-save`.
    init(_ rule: String, _ destination: VirtualServer.Identity, _ sets: [AddressSet.Name: AddressSet]) {
        var words = rule.split(separator: " ").map(String.init)[...]
        var isNegated = false
        while let word = words.popFirst() {
            switch word {
            case "!":
                isNegated = true
                continue
            case "--match-set":
                guard let name = words.popFirst(), let directions = words.popFirst() else { break }
                evaluate(AddressSet.Name(name), directions, isNegated, destination, sets)
            case "-p":
                let transport = words.popFirst()
                if (transport == destination.transport.lowercaseName) == isNegated { verdict = .no }
            case "--dport":
                if (words.popFirst() == "\(destination.location.port)") == isNegated { verdict = .no }
            case "-j", "-g": target = words.popFirst() ?? ""
            // These match the source, interface or state of the packet.
            case "-s", "-i", "-o", "--mark", "--ctstate", "--src-type", "--dst-type", "--vaddr", "--vproto", "--match-ipvs", "-d",
                "--ctorigdst":
                _ = words.popFirst()
                if verdict == .yes { verdict = .perhaps }
            // A comment can contain any word.
            case "--comment":
                guard let first = words.popFirst(), first.hasPrefix("\""), !(first.count > 1 && first.hasSuffix("\"")) else { break }
                while let next = words.popFirst(), !next.hasSuffix("\"") {}
            default: break
            }
            isNegated = false
        }
    }

    private mutating func evaluate(
        _ name: AddressSet.Name, _ directions: String, _ isNegated: Bool, _ destination: VirtualServer.Identity,
        _ sets: [AddressSet.Name: AddressSet]
    ) {
        let members = sets[name]?.members.keys.filter { $0.concerns(destination) } ?? []
        let isOfDestination = !directions.split(separator: ",").contains("src")
        guard isOfDestination else {
            if members.isEmpty, !isNegated, !directions.hasPrefix("src") {
                verdict = .no
            } else {
                reasons += members.map { "\($0) is in \(name)" }.sorted()
                if verdict == .yes { verdict = .perhaps }
            }
            return
        }
        if members.isEmpty == isNegated {
            reasons += members.map { "\($0) is in \(name)" }.sorted()
        } else {
            verdict = .no
        }
    }
}

extension AddressSet.Member {
    /// Whether the member matches the address and port, as far as its kind of set includes them.
    fileprivate func concerns(_ destination: VirtualServer.Identity) -> Bool {
        switch self {
        case .address(let address): address == destination.location.address
        case .port(let port): port == destination.location.port
        case .addressPort(let location, let transport), .addressPortAddress(let location, let transport, _),
            .addressPortNet(let location, let transport, _):
            location == destination.location && transport == destination.transport
        }
    }
}
