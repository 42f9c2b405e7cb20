enum Family: String, CaseIterable { case v4, v6 }

/// The servers: pods, and the hosts of the nodes.
enum Server: String, CaseIterable {
    case pod1a = "pod-1a", pod1b = "pod-1b", pod2a = "pod-2a", pod2b = "pod-2b"
    case host1, host2

    static let pods: [Server] = [.pod1a, .pod1b, .pod2a, .pod2b]

    var number: Int { [.pod1a, .pod1b, .host1].contains(self) ? 1 : 2 }
    var node: String { "node\(number)" }
    var isHost: Bool { self == .host1 || self == .host2 }

    func address(_ family: Family = .v4) -> String {
        if isHost { return Address.node(number, family) }
        let last = self == .pod1a || self == .pod2a ? 10 : 11
        return family == .v4 ? "10.244.\(number).\(last)" : "fd00:244:\(number)::\(last)"
    }
}

/// The addresses of `two-nodes.sh`.
enum Address {
    static func node(_ number: Int, _ family: Family = .v4) -> String { family == .v4 ? "10.99.\(number).2" : "fd00:99:\(number)::2" }
    /// The address of a node on the bridge of its pods.
    static func bridge(_ number: Int, _ family: Family = .v4) -> String { family == .v4 ? "10.244.\(number).1" : "fd00:244:\(number)::1" }
    static func outside(_ family: Family = .v4) -> String { family == .v4 ? "10.99.0.2" : "fd00:99::2" }

    /// - Parameter letter: the letter of one of the flow's Services, `a` to `i`.
    static func cluster(_ flow: Int, _ letter: Character = "a", _ family: Family = .v4) -> String {
        let last = (letter.asciiValue ?? 97) - 96
        return family == .v4 ? "10.96.\(flow).\(last)" : "fd00:96::\(flow)0\(last)"
    }

    /// An external or load balancer address of a flow that outside clients reach through node `number`.
    static func external(_ flow: Int, through number: Int, _ family: Family = .v4) -> String {
        family == .v4 ? "198.51.10\(number).\(flow)" : "fd00:51:\(number)::\(flow)"
    }

    /// The client address that a server sees if node `number` masquerades the client.
    static func masqueraded(by number: Int, at server: Server, _ family: Family = .v4) -> String {
        server.number == number ? bridge(number, family) : node(number, family)
    }
}
