import KernelTestSupport
import Testing

extension Flows {
    /// The addresses that answer.
    @Suite struct `Addresses of every family and range` {
        let world = TwoNodes.shared

        @Test func `flow 34: single-stack and dual-stack Services answer in exactly their families`() async throws {
            let choices: [(letter: Character, families: [Family], served: [Family])] = [
                ("a", [.v4], [.v4]), ("b", [.v6], [.v6]), ("c", [.v4, .v6], [.v4, .v6]), ("d", [.v6, .v4], [.v6, .v4]),
                // Endpoints of one family only.
                ("e", [.v4, .v6], [.v4]), ("f", [.v6, .v4], [.v6]),
            ]
            func port(_ letter: Character) -> UInt16 { 30340 + UInt16(letter.asciiValue ?? 0) - 97 }
            try await world.serve(
                choices.map { choice in
                    var served = Served(Service(34, choice.letter).onNodePort(port(choice.letter)).of(choice.families), by: [.pod2a])
                    served.slices.removeAll { slice in !choice.served.contains(slice.addressType == "IPv4" ? .v4 : .v6) }
                    return served
                })
            for choice in choices {
                for family in Family.allCases {
                    let what = "\(choice.letter) \(family)"
                    let (cluster, node) = (Address.cluster(34, choice.letter, family), Address.node(1, family))
                    guard choice.families.contains(family) else {
                        try world.ask(from: "outside", node, port(choice.letter), count: 1).expectRefused("\(what), no node port")
                        #expect(
                            try world.ask(from: "pod-1a", "tcp", cluster, count: 1, options: "--timeout-ms 700").answered == 0, "\(what)")
                        continue
                    }
                    for transport in ["tcp", "udp"] {
                        let inner = try world.ask(from: "pod-1a", transport, cluster, count: 2)
                        let outer = try world.ask(from: "outside", transport, node, port(choice.letter), count: 2)
                        if choice.served.contains(family) {
                            inner.expect([.pod2a: Server.pod1a.address(family)], "\(what) \(transport)")
                            outer.expect([.pod2a: Address.masqueraded(by: 1, at: .pod2a, family)], "\(what) \(transport) from outside")
                        } else {
                            inner.expectRefused("\(what) \(transport)")
                            outer.expectRefused("\(what) \(transport) from outside")
                        }
                    }
                }
            }
        }

        @Test func `flow 44: a node port answers on all addresses of the node, or only on its primary one`() async throws {
            let served = Served(Service(44).onNodePort(30440), by: [.pod2a])
            let secondary: [Family: String] = [.v4: "10.99.1.3", .v6: "fd00:99:1::3"]
            for (flags, others) in [("", true), ("--nodeport-addresses primary", false)] {
                try await world.serve([])
                try await Shell.output(
                    in: "node1",
                    "ip address replace 10.99.1.3/24 dev eth0; ip address replace fd00:99:1::3/64 dev eth0 nodad preferred_lft 0")
                try await world.serve([served], flags: flags)
                for family in Family.allCases {
                    let seen = [Server.pod2a: Address.masqueraded(by: 1, at: .pod2a, family)]
                    try world.ask(from: "outside", Address.node(1, family), 30440).expect(seen, "the primary address")
                    for (client, address) in [("outside", secondary[family] ?? ""), ("pod-1a", Address.bridge(1, family))] {
                        for transport in ["tcp", "udp"] {
                            if others {
                                try await world.wait(for: "\(address) to answer") {
                                    try world.ask(from: client, transport, address, 30440, count: 1, outcome: .none).failed == 0
                                }
                                try world.ask(from: client, transport, address, 30440).expect(seen, "\(transport) at \(address)")
                            } else {
                                try world.ask(from: client, transport, address, 30440, count: 1).expectRefused("\(transport) at \(address)")
                            }
                        }
                    }
                }
                try await Shell.output(in: "node1", "ip address delete 10.99.1.3/24 dev eth0; ip address delete fd00:99:1::3/64 dev eth0")
            }
        }

        @Test func `flow 46: a Service in a ServiceCIDR that is added at run time is served like others`() async throws {
            try await world.serve([Served(Service(46), by: [.pod1a])])
            let added: [Family: String] = [.v4: "10.200.46.1", .v6: "fd00:200::46"]
            try await Shell.output(
                "ip -netns router route replace 10.200.0.0/16 via \(Address.node(1)); ip -netns router route replace fd00:200::/112 via \(Address.node(1, .v6))"
            )
            var service = Service(46, "b")
            service.spec.clusterIP = added[.v4]
            service.spec.clusterIPs = Family.allCases.compactMap { added[$0] }
            try await world.serve(
                [Served(Service(46), by: [.pod1a]), Served(service, by: [.pod1a, .pod2a])], ranges: ["10.200.0.0/16", "fd00:200::/112"])
            for family in Family.allCases {
                for transport in ["tcp", "udp"] {
                    let own = Server.pod1b.address(family)
                    let seen = [Server.pod1a, .pod2a].map { ($0, Address.masqueraded(by: 1, at: $0, family)) }
                    try world.ask(from: "pod-1b", transport, added[family] ?? "").expect([.pod1a: own, .pod2a: own], "from a pod")
                    for client in ["node1", "outside"] {
                        try world.ask(from: client, transport, added[family] ?? "").expect(
                            Dictionary(uniqueKeysWithValues: seen), "\(transport) from \(client)")
                    }
                    try world.ask(from: "pod-1b", transport, Address.cluster(46, "a", family)).expect([.pod1a: own], "the old range")
                }
            }
        }
    }
}
