internal import Model

/// Whether a packet to one address and port meets a rule, as far as its destination tells.
struct RuleCondition {
    enum Verdict: Hashable { case no, perhaps, yes }

    private(set) var verdict = Verdict.yes
    /// What decided it: `10.96.0.10,tcp:80 is in KUBE-CLUSTER-IP`.
    private(set) var reasons: [String] = []
    /// The chain or the end that the rule leads to; empty where it leads nowhere.
    private(set) var target = ""

    /// - Parameter rule: what follows `-A <chain> ` in `iptables-save`.
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
                judge(AddressSet.Name(name), directions, isNegated, destination, sets)
            case "-p":
                let transport = words.popFirst()
                if (transport == destination.transport.lowercaseName) == isNegated { verdict = .no }
            case "--dport":
                if (words.popFirst() == "\(destination.location.port)") == isNegated { verdict = .no }
            case "-j", "-g": target = words.popFirst() ?? ""
            // What these look at is the packet's source, way or history.
            case "-s", "-i", "-o", "--mark", "--ctstate", "--src-type", "--dst-type", "--vaddr", "--vproto", "--match-ipvs", "-d",
                "--ctorigdst":
                _ = words.popFirst()
                if verdict == .yes { verdict = .perhaps }
            // A comment may hold any word.
            case "--comment":
                guard let first = words.popFirst(), first.hasPrefix("\""), !(first.count > 1 && first.hasSuffix("\"")) else { break }
                while let next = words.popFirst(), !next.hasSuffix("\"") {}
            default: break
            }
            isNegated = false
        }
    }

    private mutating func judge(
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
    /// Whether it names this address and port, or as much of them as its kind of set can.
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
