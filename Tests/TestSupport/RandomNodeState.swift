public import Model

extension NodeState {
    /// Returns a small random state from few values, so that two states share some and differ in some.
    ///
    /// - Parameter isObserved: whether to include kernel-only values: draining servers, connection counts, small or malformed sets.
    public static func random(using generator: inout SeededGenerator, isObserved: Bool) -> NodeState {
        var state = NodeState(hasDevice: isObserved ? Bool.random(using: &generator) : true)
        for _ in 0..<Int.random(in: 0...6, using: &generator) {
            let server = VirtualServer.random(using: &generator, isObserved: isObserved)
            state.virtualServers[server.identity] = server
        }
        if state.hasDevice {
            for _ in 0..<Int.random(in: 0...4, using: &generator) { state.addresses.updateValue(nil, forKey: .random(using: &generator)) }
            for _ in 0..<Int.random(in: 0...4, using: &generator) {
                let source = Bool.random(using: &generator) ? IPAddress.random(using: &generator) : nil
                state.routes[.random(using: &generator)] = LocalRoute(source: source)
            }
            state.isDeviceUp = Bool.random(using: &generator)
        }
        for name in ["KUBE-A", "KUBE-B", "KUBE-C"] where !isObserved || Bool.random(using: &generator) {
            var set = AddressSet(AddressSet.Name(name), kind: .hashIP, family: .ipv4, capacity: isObserved ? 2 : 65536)
            for _ in 0..<Int.random(in: 0...(isObserved ? 2 : 4), using: &generator) {
                set.members.updateValue(nil, forKey: .address(.random(using: &generator)))
            }
            if isObserved, Int.random(in: 0...4, using: &generator) == 0 {
                set = AddressSet(set.name, kind: .bitmapPort, family: .ipv4, members: [.port(80): nil])
            }
            state.sets[set.name] = set
        }
        let chain = Rules.Chain(.nat, "KUBE-SERVICES")
        let jump = Rules.Jump(.nat, from: "OUTPUT", to: chain.name, comment: "jump")
        if !isObserved || Bool.random(using: &generator) {
            let text = ["-j RETURN", "-j ACCEPT"].randomElement(using: &generator) ?? ""
            state.rules[.ipv4] = Rules(
                .ipv4, chains: [chain: [.other(text)]], jumps: isObserved && Bool.random(using: &generator) ? [] : [jump])
        }
        if isObserved, Bool.random(using: &generator) {
            state.leftovers[.ipv4] = Leftovers(
                .ipv4, chains: Bool.random(using: &generator) ? [Rules.Chain(.nat, "KUBE-SVC-A")] : [], hasTable: true)
        }
        if isObserved, Bool.random(using: &generator) {
            state.rulesInOtherBackends = [BackendRules(.iptables(.nft), .ipv4, chains: [Rules.Chain(.nat, "KUBE-SERVICES")], jumps: [])]
        }
        return state
    }
}

extension IPAddress {
    static func random(using generator: inout SeededGenerator) -> IPAddress {
        IPAddress(v4: 0x0a60_0000 + UInt32.random(in: 1...5, using: &generator))
    }
}

extension VirtualServer {
    static func random(using generator: inout SeededGenerator, isObserved: Bool) -> VirtualServer {
        let transport = Transport.allCases.randomElement(using: &generator) ?? .tcp
        let scheduler: Scheduler = Bool.random(using: &generator) ? .roundRobin : .maglevHash
        let servers = (0..<Int.random(in: 0...4, using: &generator)).map { _ in RealServer.random(using: &generator, isObserved: isObserved)
        }
        return VirtualServer(Identity(transport, AddressPort(.random(using: &generator), 80)), scheduler: scheduler, realServers: servers)
    }
}

extension RealServer {
    static func random(using generator: inout SeededGenerator, isObserved: Bool) -> RealServer {
        let location = AddressPort(IPAddress(v4: 0x0af4_0000 + UInt32.random(in: 1...5, using: &generator)), 8080)
        guard isObserved else { return RealServer(location) }
        let counts: [Connections?] = [nil, Connections(active: 0, inactive: 0), Connections(active: 3, inactive: 1)]
        let weight = UInt32.random(in: 0...2, using: &generator)
        return RealServer(
            location, weight: weight, connections: counts.randomElement(using: &generator) ?? nil,
            drainingSince: weight == 0 ? .seconds(0) : nil)
    }
}
