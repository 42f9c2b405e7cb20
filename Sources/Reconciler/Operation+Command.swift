public import Model

// The equivalent shell command of an operation, as `kube-ipvs-proxy plan` prints it and errors name it.

extension Operation: CustomStringConvertible {
    public var description: String { command }

    /// The equivalent shell command, in one line. Details that the command itself does not show follow in parentheses.
    public var command: String {
        switch self {
        case .createSet(let set): Operation.create(set)
        case .replaceSet(let set): "\(Operation.create(set)) (replaces the existing set, \(set.members.count) members)"
        case .addMember(let name, let member, _): Operation.change("add", member, name)
        case .removeMember(let name, let member): Operation.change("del", member, name)
        case .destroySet(let name): Operation.destroy(name)
        case .restoreRules(let rules, let missingJumps): Operation.restore(rules, missingJumps)
        case .removeRules(let rules): Operation.remove(rules)
        case .removeLeftoverRules(let left):
            Operation.restore(
                left.family, "remove \(left.jumps.count) jumps, \(left.chains.count) chains left by kube-proxy's iptables mode")
        case .deleteLeftoverTable(let family): "nft delete table \(family.nftName) \(Leftovers.tableName)"
        case .createDevice: "ip link add \(NodeState.deviceName) type dummy"
        case .deleteDevice: "ip link delete \(NodeState.deviceName)"
        case .setDeviceUp: "ip link set \(NodeState.deviceName) addrgenmode none && ip link set \(NodeState.deviceName) up"
        case .bind(let address, _): "ip address add \(CIDR(host: address)) dev \(NodeState.deviceName)"
        case .unbind(let address): "ip address delete \(CIDR(host: address)) dev \(NodeState.deviceName)"
        case .addRoute(let address, let route):
            "\(Operation.route("replace", address))\(address.family == .ipv4 ? " scope host" : "")"
                + (route.source.map { " src \($0)" } ?? "")
        case .removeRoute(let address): Operation.route("delete", address)
        case .addVirtualServer(let server): "ipvsadm -A \(server.ipvsadmArguments)"
        case .editVirtualServer(let server): "ipvsadm -E \(server.ipvsadmArguments)"
        case .deleteVirtualServer(let identity): "ipvsadm -D \(identity.ipvsadmArguments)"
        case .addRealServer(let identity, let server): "ipvsadm -a \(identity.ipvsadmArguments) \(server.ipvsadmArguments)"
        case .editRealServer(let identity, let server): "ipvsadm -e \(identity.ipvsadmArguments) \(server.ipvsadmArguments)"
        case .deleteRealServer(let identity, let location): "ipvsadm -d \(identity.ipvsadmArguments) -r \(location)"
        case .flushConntrack(let identity, let servers): Operation.flushCommand(identity, keeping: servers.count)
        }
    }

    /// - Parameter verb: of `ip route`.
    private static func route(_ verb: String, _ address: IPAddress) -> String {
        "ip route \(verb) local \(CIDR(host: address)) dev \(NodeState.deviceName) table local proto \(LocalRoute.routingProtocol) "
            + "metric \(LocalRoute.metric)"
    }

    /// For nft, in quotes: the shell would end the command at a semicolon.
    private static func create(_ set: AddressSet) -> String {
        switch (set.name.store, set.kind) {
        case (.ipset, .bitmapPort): "ipset create \(set.name) bitmap:port range 0-65535"
        case (.ipset, _):
            "ipset create \(set.name) \(set.kind.rawValue) family \(set.family == .ipv4 ? "inet" : "inet6") maxelem \(set.capacity)"
        case (.table(let family), _):
            "nft add set \(family.nftTable) \(set.name) "
                + "'{ type \(set.kind.nftType(family)); \(set.kind == .hashIPPortNet ? "flags interval; " : "")}'"
        }
    }

    /// - Parameter verb: of ipset.
    private static func change(_ verb: String, _ member: AddressSet.Member, _ name: AddressSet.Name) -> String {
        switch name.store {
        case .ipset: "ipset \(verb) \(name) \(member)"
        case .table(let family):
            "nft \(verb == "del" ? "delete" : verb) element \(family.nftTable) \(name) { \(member.nftElement) }"
        }
    }

    private static func destroy(_ name: AddressSet.Name) -> String {
        switch name.store {
        case .ipset: "ipset destroy \(name)"
        case .table(let family): "nft delete set \(family.nftTable) \(name)"
        }
    }

    private static func restore(_ rules: Rules, _ missingJumps: [Rules.Jump]) -> String {
        let count = rules.chains.values.reduce(0) { $0 + $1.count }
        return switch rules.packetFilter {
        case .iptables: restore(rules.family, "\(rules.chains.count) chains, \(count) rules, \(missingJumps.count) jumps")
        case .nftables:
            "nft -f - (table \(rules.family.nftTable): \(rules.chains.count) chains, \(count) rules, \(rules.jumps.count) jumps)"
        }
    }

    private static func remove(_ rules: BackendRules) -> String {
        switch rules.backend {
        case .iptables(let backend):
            restore(rules.family, "remove \(rules.jumps.count) jumps, \(rules.chains.count) chains", suffix: "-\(backend.rawValue)")
        case .ipset: "ipset destroy (\(rules.sets.sorted().map(\.text).joined(separator: ", ")))"
        case .nftables: "nft delete table \(rules.family.nftTable)"
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

// nft's syntax (`man nft`).

extension AddressSetType {
    /// `ipv4_addr . inet_proto . inet_service`.
    fileprivate func nftType(_ family: IPFamily) -> String {
        let address = family == .ipv4 ? "ipv4_addr" : "ipv6_addr"
        return switch self {
        case .hashIP: address
        case .hashIPPort: "\(address) . inet_proto . inet_service"
        case .hashIPPortIP, .hashIPPortNet: "\(address) . inet_proto . inet_service . \(address)"
        case .bitmapPort: "inet_service"
        }
    }
}

extension AddressSet.Member {
    /// `10.96.0.1 . tcp . 80`.
    fileprivate var nftElement: String {
        func parts(_ location: AddressPort, _ transport: Transport) -> String {
            "\(location.address) . \(transport.lowercaseName) . \(location.port)"
        }
        return switch self {
        case .address(let address): "\(address)"
        case .addressPort(let location, let transport): parts(location, transport)
        case .addressPortAddress(let location, let transport, let source): "\(parts(location, transport)) . \(source)"
        case .addressPortNet(let location, let transport, let net): "\(parts(location, transport)) . \(net)"
        case .port(let port): "\(port)"
        }
    }
}
