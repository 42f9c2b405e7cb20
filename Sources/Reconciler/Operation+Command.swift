public import Model

// The equivalent shell command of an operation, as `kube-ipvs-proxy plan` prints it and errors name it.

extension Operation: CustomStringConvertible {
    public var description: String { command }

    /// The equivalent shell command, in one line. Details that the command itself does not show follow in parentheses.
    public var command: String {
        switch self {
        case .createSet(let set): Operation.create(set)
        case .replaceSet(let set): "\(Operation.create(set)) (replaces the existing set, \(set.members.count) members)"
        case .addMember(let name, let member, _): "ipset add \(name) \(member)"
        case .removeMember(let name, let member): "ipset del \(name) \(member)"
        case .destroySet(let name): "ipset destroy \(name)"
        case .restoreRules(let rules, let missingJumps):
            Operation.restore(
                rules.family,
                "\(rules.chains.count) chains, \(rules.chains.values.reduce(0) { $0 + $1.count }) rules, \(missingJumps.count) jumps"
            )
        case .removeRules(let rules):
            Operation.restore(
                rules.family, "remove \(rules.jumps.count) jumps, \(rules.chains.count) chains", suffix: "-\(rules.backend.rawValue)")
        case .removeLeftoverRules(let left):
            Operation.restore(
                left.family, "remove \(left.jumps.count) jumps, \(left.chains.count) chains left by kube-proxy's iptables mode")
        case .deleteLeftoverTable(let family): "nft delete table \(family == .ipv4 ? "ip" : "ip6") \(Leftovers.tableName)"
        case .createDevice: "ip link add \(NodeState.deviceName) type dummy"
        case .deleteDevice: "ip link delete \(NodeState.deviceName)"
        case .bind(let address, _): "ip address add \(CIDR(host: address)) dev \(NodeState.deviceName)"
        case .unbind(let address): "ip address delete \(CIDR(host: address)) dev \(NodeState.deviceName)"
        case .addVirtualServer(let server): "ipvsadm -A \(server.ipvsadmArguments)"
        case .editVirtualServer(let server): "ipvsadm -E \(server.ipvsadmArguments)"
        case .deleteVirtualServer(let identity): "ipvsadm -D \(identity.ipvsadmArguments)"
        case .addRealServer(let identity, let server): "ipvsadm -a \(identity.ipvsadmArguments) \(server.ipvsadmArguments)"
        case .editRealServer(let identity, let server): "ipvsadm -e \(identity.ipvsadmArguments) \(server.ipvsadmArguments)"
        case .deleteRealServer(let identity, let location): "ipvsadm -d \(identity.ipvsadmArguments) -r \(location)"
        case .flushConntrack(let identity, let servers): Operation.flushCommand(identity, keeping: servers.count)
        }
    }

    private static func create(_ set: AddressSet) -> String {
        switch set.kind {
        case .bitmapPort: "ipset create \(set.name) bitmap:port range 0-65535"
        default: "ipset create \(set.name) \(set.kind.rawValue) family \(set.family == .ipv4 ? "inet" : "inet6") maxelem \(set.capacity)"
        }
    }

    private static func flushCommand(_ identity: VirtualServer.Identity, keeping servers: Int) -> String {
        let command =
            "conntrack -D -p \(identity.transport.lowercaseName) --orig-dst \(identity.location.address) --orig-port-dst \(identity.location.port)"
        return servers == 0 ? command : "\(command) (except entries answered by its \(servers) real servers)"
    }

    /// - Parameter suffix: selects the backend of the program; empty for the one that this program uses.
    private static func restore(_ family: IPFamily, _ summary: String, suffix: String = "") -> String {
        "\(family == .ipv4 ? "iptables" : "ip6tables")\(suffix)-restore --noflush (\(summary))"
    }
}

extension VirtualServer {
    /// The arguments as `ipvsadm -S` prints them after `-A`: `-t 10.96.0.10:53 -s rr -p 10800`.
    public var ipvsadmArguments: String {
        var text = "\(identity.ipvsadmArguments) -s \(scheduler)"
        if flags.contains(.persistent) { text += " -p \(timeout)" }
        if Int(affinityPrefix) < identity.family.addressBits { text += " -M \(affinityMask)" }
        if flags.contains(.onePacket) { text += " -o" }
        let names = flags.schedulerFlagNames(scheduler.name)
        if !names.isEmpty { text += " -b \(names.joined(separator: ","))" }
        return text
    }
}

extension VirtualServer {
    /// The affinity prefix as a netmask such as `255.255.255.0` for IPv4, or as a prefix length for IPv6.
    private var affinityMask: String {
        guard identity.family == .ipv4 else { return "\(affinityPrefix)" }
        return IPAddress(v4: UInt32.max << (32 - UInt32(min(affinityPrefix, 32)))).description
    }
}

extension RealServer {
    /// The arguments as `ipvsadm -S` prints them: `-r 10.244.0.2:8080 -m -w 1`.
    public var ipvsadmArguments: String {
        let method =
            switch forwarding {
            case .masquerade: "-m"
            case .tunnel: "-i"
            case .directRoute, .localNode, .bypass: "-g"
            }
        var text = "-r \(location) \(method) -w \(weight)"
        if upperThreshold > 0 { text += " -x \(upperThreshold)" }
        if lowerThreshold > 0 { text += " -y \(lowerThreshold)" }
        return text
    }
}
