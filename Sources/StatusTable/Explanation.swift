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
    ///   - text: A rule in a chain, as the packet filter of this node prints it.
    public init(
        _ destination: VirtualServer.Identity, kernel: NodeState, known: ProxyReport.Server?, proxyAnswered: Bool, isHeldElsewhere: Bool,
        text: (Rules.Chain, Rule) -> String
    ) {
        self.destination = destination
        if let known {
            lines.append("\(destination) is \(known.servicePort) (\(known.addressKind))")
        } else {
            lines.append(
                "\(destination) \(proxyAnswered ? "does not belong to any Service known to the proxy" : "(no proxy answered: Service unknown)")"
            )
        }
        walk(.nat, "PREROUTING", "Traffic from pods and other hosts", kernel, text)
        walk(.nat, "OUTPUT", "Traffic from this node", kernel, text)
        explainAddress(kernel, isHeldElsewhere)
        walk(.filter, "INPUT", "Input filter", kernel, text)
        explainServers(kernel.virtualServers[destination], known)
        walk(.nat, "POSTROUTING", "Traffic to the real server", kernel, text)
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
        } else if kernel.routes[address] != nil {
            lines.append("Address: \(address) has a local route over \(NodeState.deviceName): the node accepts the packet")
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
        for real in server.realServers {
            let endpoint = endpoints[real.location]
            let names = [endpoint?.pod.map { "pod \($0)" }, endpoint?.node.map { "on \($0)" }].compactMap(\.self).joined(separator: " ")
            let state = real.weight == 0 ? "takes no new connections" : "weight \(real.weight)"
            lines.append("  -> \(real.location)  \(state)\(names.isEmpty ? "" : "  \(names)")")
        }
        if server.realServers.isEmpty {
            obstacles.append("the virtual server has no real servers\(known?.whyEmpty.map { ": \($0)" } ?? "")")
        } else if server.realServers.allSatisfy({ $0.weight == 0 }) {
            obstacles.append("all real servers have weight 0 and accept no new connections")
        }
    }

    // MARK: Rules

    private mutating func walk(
        _ table: Rules.Table, _ hook: String, _ title: String, _ kernel: NodeState, _ text: (Rules.Chain, Rule) -> String
    ) {
        guard let rules = kernel.rules[destination.family] else { return }
        var reported: [String] = []
        for jump in rules.jumps where jump.table == table && jump.from == hook {
            var visited: Set<Rules.Chain> = []
            reported.append("  \(text(Rules.Chain(table, hook), jump.rule))")
            _ = walk(Rules.Chain(table, jump.to), rules, kernel.sets, text, &reported, &visited)
        }
        lines.append("\(title), \(table.rawValue) \(hook):\(reported.isEmpty ? " no rules of the proxy" : "")")
        lines += reported
    }

    /// - Returns: Whether the packet certainly does not continue after the chain.
    private mutating func walk(
        _ chain: Rules.Chain, _ rules: Rules, _ sets: [AddressSet.Name: AddressSet], _ text: (Rules.Chain, Rule) -> String,
        _ reported: inout [String], _ visited: inout Set<Rules.Chain>
    ) -> Bool {
        guard visited.insert(chain).inserted else { return false }
        for rule in rules.chains[chain] ?? [] {
            let condition = RuleCondition(rule, destination, sets)
            guard condition.verdict != .no else { continue }
            let caveat = condition.verdict == .perhaps ? ["match depends on more than the destination"] : []
            let notes = condition.reasons + caveat
            reported.append("  \(text(chain, rule))\(notes.isEmpty ? "" : "  # \(notes.joined(separator: "; "))")")
            let isSure = condition.verdict == .yes
            switch rule.verdict {
            case .drop, .reject:
                guard isSure else { continue }
                obstacles.append("dropped by \(chain): \(text(chain, rule))")
                return true
            case .accept, .masquerade: if isSure { return true }
            case .return: if isSure { return false }
            case .jump(let target):
                if walk(Rules.Chain(chain.table, target), rules, sets, text, &reported, &visited), isSure { return true }
            case .setMark, .invertMark: continue
            case .other(let text):
                let words = Set(text.lowercased().split { !$0.isLetter && $0 != "-" })
                if !words.isDisjoint(with: ["drop", "reject"]) {
                    obstacles.append("may be dropped by \(chain), by a rule that the proxy did not write: \(text)")
                }
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

    init(_ rule: Rule, _ destination: VirtualServer.Identity, _ sets: [AddressSet.Name: AddressSet]) {
        // A rule of others: what it matches is not known.
        if case .other = rule.verdict { verdict = .perhaps }
        for match in rule.matches {
            switch match {
            case .set(let name, let sides): evaluate(name, sides, destination, sets)
            case .transport(let transport, let isNegated): if (transport == destination.transport) == isNegated { verdict = .no }
            case .echoRequest: verdict = .no
            case .virtualServer(let server): if server != destination { verdict = .no }
            // These match the source, interface or state of the packet.
            case .source, .inputInterface, .mark, .isLocal, .connection, .bridgePort: if verdict == .yes { verdict = .perhaps }
            }
        }
    }

    private mutating func evaluate(
        _ name: AddressSet.Name, _ sides: [Rule.Side], _ destination: VirtualServer.Identity, _ sets: [AddressSet.Name: AddressSet]
    ) {
        let members = sets[name]?.members.keys.filter { $0.concerns(destination) } ?? []
        // If the address is that of the source, the members that concern the destination say nothing.
        if members.isEmpty, sides.first == .destination {
            verdict = .no
            return
        }
        reasons += members.map { "\($0) is in \(name)" }.sorted()
        if sides.contains(.source), verdict == .yes { verdict = .perhaps }
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
