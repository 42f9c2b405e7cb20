import Kubernetes
import Model
import TestSupport
import Testing
import Translation

/// Generates random changes of a small cluster with many conflicting and some harmful claims.
private struct Chance {
    var generator: SeededGenerator

    mutating func flip() -> Bool { Bool.random(using: &generator) }
    mutating func number(_ range: ClosedRange<Int>) -> Int { Int.random(in: range, using: &generator) }
    mutating func some(_ choices: [String]) -> [String] { choices.filter { _ in number(0...2) == 0 } }
    mutating func one<T>(_ first: T, _ others: T...) -> T { others.randomElement(using: &generator).map { flip() ? $0 : first } ?? first }

    mutating func change(_ cluster: inout Cluster) {
        let name = one("a", "b", "c", "d")
        switch number(0...9) {
        case 0: cluster.remove(name)
        case 1: cluster.removeSlice("\(name)-\(one("a", "b"))")
        case 2:
            cluster.localAddresses = Set(some(["10.99.0.2", "10.99.0.3", "192.0.2.1", "10.96.0.1"]).compactMap { IPAddress($0) })
        case 3: cluster.set(Node.named(addresses: some(["10.99.0.2", "192.0.2.2"]), zone: one(nil, "x", "y")))
        case 4: cluster.set(flip() ? nil : Node.named("node2", addresses: some(["192.0.2.3", "10.96.0.2"])), name: "node2")
        case 5: cluster.set(.of("kubernetes", some(["192.0.2.1", "10.99.0.1"]).map { .at($0) }, portName: "https"))
        case 6, 7: cluster.set(slice(name))
        default: cluster.set(service(name))
        }
    }

    private mutating func slice(_ service: String) -> EndpointSlice {
        let endpoints = (0..<3).map { _ in endpoint() }
        var slice = EndpointSlice.of(service, endpoints, name: one("a", "b"))
        slice.ports += some(["q", "r"]).map { EndpointPort(name: $0, port: UInt16(number(9000...9001))) }
        return slice
    }

    private mutating func endpoint() -> Endpoint {
        let isTerminating = number(0...3) == 0
        return .at(
            one("10.244.0.1", "10.244.0.2", "10.244.0.3", "127.0.0.1"), ready: isTerminating ? false : nil, serving: flip(),
            terminating: isTerminating, node: one("node1", "node2"), zones: some(["x", "y"]), nodes: number(0...3) == 0 ? ["node1"] : [])
    }

    private mutating func service(_ name: String) -> Service {
        let ports = (transport: one(Transport.tcp, .sctp, .udp), node: UInt16(one(0, 30001, 30002)))
        return Service.clusterIP(
            name, "10.96.0.\(number(1...3))", nodePort: ports.node, transport: ports.transport,
            created: "2026-01-0\(number(1...3))T00:00:00Z"
        ).with {
            $0.ports += some(["q", "r"]).map { ServicePort(name: $0, port: $0 == "q" ? 81 : 82) }
            $0.type = one(.clusterIP, .nodePort, .loadBalancer)
            $0.externalIPs = some(["192.0.2.1", "192.0.2.2", "10.96.0.1", "127.0.0.1"])
            $0.loadBalancerIngress = some(["192.0.2.1", "192.0.2.3", "10.96.0.2"]).map { LoadBalancerIngress(ip: $0) }
            $0.loadBalancerSourceRanges = some(["10.99.0.0/24", "192.0.2.0/30", "0.0.0.0/0", "2001:db8::/32"])
            $0.internalTrafficPolicy = one(.cluster, .local)
            $0.externalTrafficPolicy = one(.cluster, .local)
            $0.healthCheckNodePort = UInt16(one(0, 31000, 31001))
            $0.sessionAffinity = one(.none, .clientIP)
        }
    }
}

@Suite struct `Incremental translation` {
    /// Any sequence of changes gives the same result as one complete translation, and the returned scope covers every difference.
    @Test(arguments: 0..<120 as Range<UInt64>) func `gives the same result as a complete translation`(seed: UInt64) throws {
        var chance = Chance(generator: SeededGenerator(seed: seed))
        // With a limit, the kind would depend on earlier numbers of addresses.
        let kind = chance.flip() ? ServiceAddresses.address : .route
        var cluster = Cluster(TranslationSettings(nodeName: "node1", serviceAddresses: kind))
        #expect(cluster.translate() == .everything)
        for _ in 0..<60 {
            let before = cluster.translation.desired
            chance.change(&cluster)
            let scope = cluster.translate()
            #expect(differences(before, cluster.translation.desired, outside: try #require(scope.selection)) == [])
        }
        var complete = Translation(cluster.translation.settings)
        _ = complete.update(Set(cluster.state.services.keys), of: cluster.state, cluster.nodeAddresses)
        #expect(complete.desired == cluster.translation.desired)
        #expect(complete.conflicts == cluster.translation.conflicts)
        #expect(complete.refusedAddresses == cluster.translation.refusedAddresses)
    }

    private func differences(_ a: NodeState, _ b: NodeState, outside selection: Scope.Selection) -> [String] {
        var found: [String] = []
        for key in Set(a.virtualServers.keys).union(b.virtualServers.keys) where a.virtualServers[key] != b.virtualServers[key] {
            if !selection.virtualServers.contains(key) { found.append("\(key)") }
        }
        for key in Set(a.addresses.keys).union(b.addresses.keys) where a.addresses[key] != b.addresses[key] {
            if !selection.addresses.contains(key) { found.append("\(key)") }
        }
        for key in Set(a.routes.keys).union(b.routes.keys) where a.routes[key] != b.routes[key] {
            if !selection.addresses.contains(key) { found.append("route \(key)") }
        }
        for (name, set) in a.sets {
            let other = b.sets[name]?.members ?? [:]
            for member in Set(set.members.keys).union(other.keys) where set.members[member] != other[member] {
                if selection.members[name]?.contains(member) != true { found.append("\(name) \(member)") }
            }
        }
        for family in IPFamily.allCases where a.rules[family] != b.rules[family] && !selection.rules.contains(family) {
            found.append("rules \(family)")
        }
        return found
    }

    @Test func `touches only what changed`() throws {
        var cluster = Cluster()
        for number in 1...50 {
            cluster.set(.clusterIP("s\(number)", "10.96.0.\(number)"))
            cluster.set(.of("s\(number)", [.at("10.244.0.1")]))
        }
        cluster.translate()
        cluster.set(.of("s7", [.at("10.244.0.2")]))
        let selection = try #require(cluster.translate().selection)
        #expect(selection.virtualServers.map(\.description) == ["10.96.0.7:80/TCP"])
        #expect(selection.addresses.isEmpty && selection.rules.isEmpty)
    }
}
