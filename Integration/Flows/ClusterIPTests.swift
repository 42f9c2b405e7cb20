import KernelTestSupport
import Testing

extension Flows {
    /// Requests from pods to cluster IPs.
    @Suite struct `Cluster IPs` {
        let world = TwoNodes.shared

        @Test func `flow 01: an added endpoint is reached, and a removed one is not`() async throws {
            for servers in [[], [.pod2a], []] as [[Server]] {
                try await world.serve([Served(Service(1), by: servers)])
                for family in Family.allCases {
                    let answers = try world.ask(from: "pod-1a", Address.cluster(1, "a", family), count: 2)
                    if servers.isEmpty {
                        answers.expectRefused("without endpoints")
                    } else {
                        answers.expect([.pod2a: Server.pod1a.address(family)], "with one")
                    }
                }
            }
        }

        @Test func `flow 02: each port reaches its own target port`() async throws {
            let service = Service(2, ports: [.init(name: "one", port: 80), .init(name: "two", port: 90)])
            try await world.serve([Served(service, by: [.pod1a], ports: ["one": 8080, "two": 9090])])
            let own = Server.pod2a.address()
            try world.ask(from: "pod-2a", Address.cluster(2), 80).expect([.pod1a: own], "port 80")
            try world.ask(from: "pod-2a", Address.cluster(2), 90).expect(["pod-1a/9090": own], "port 90")
        }

        @Test func `flow 03: an added port works, and a deleted one is refused`() async throws {
            let ports = [Service.Port(name: "one", port: 80), .init(name: "two", port: 81)]
            for (kept, works, refused) in [([ports[0]], [80], [81]), (ports, [80, 81], []), ([ports[1]], [81], [80])]
                as [([Service.Port], [UInt16], [UInt16])]
            {
                try await world.serve([Served(Service(3, ports: kept), by: [.pod1a])])
                for port in works {
                    try world.ask(from: "pod-1b", Address.cluster(3), port, count: 2).expect([.pod1a: Server.pod1b.address()], "\(port)")
                }
                for port in refused { try world.ask(from: "pod-1b", Address.cluster(3), port, count: 1).expectRefused("\(port)") }
            }
        }

        @Test func `flow 04: a cluster IP preserves the address of a pod, on the same and on the other node`() async throws {
            try await world.serve([Served(Service(4), by: [.pod1a, .pod2a])])
            for family in Family.allCases {
                for client in [Server.pod1b, .pod2b] {
                    for transport in ["tcp", "udp"] {
                        let own = client.address(family)
                        try world.ask(from: client.rawValue, transport, Address.cluster(4, "a", family)).expect(
                            [.pod1a: own, .pod2a: own], "\(transport) from \(client)")
                    }
                }
            }
        }

        @Test func `flow 05: a pod reaches itself, and sees the address of its node`() async throws {
            try await world.serve([Served(Service(5), by: [.pod1a])])
            for family in Family.allCases {
                for transport in ["tcp", "udp"] {
                    try world.ask(from: "pod-1a", transport, Address.cluster(5, "a", family)).expect(
                        [.pod1a: Address.bridge(1, family)], transport)
                }
            }
        }

        @Test func `flow 06: Services are added and removed independently`() async throws {
            let (one, two, three) = (
                Served(Service(6), by: [.pod1a]), Served(Service(6, "b"), by: [.pod2a]), Served(Service(6, "c"), by: [.pod2b])
            )
            let own = Server.pod1b.address()
            try await world.serve([one, two])
            try world.ask(from: "pod-1b", Address.cluster(6)).expect([.pod1a: own], "the first")
            try world.ask(from: "pod-1b", Address.cluster(6, "b")).expect([.pod2a: own], "the second")
            try await world.serve([one, three])
            try world.ask(from: "pod-1b", Address.cluster(6)).expect([.pod1a: own], "the first, still")
            #expect(try world.ask(from: "pod-1b", Address.cluster(6, "b"), count: 1).answered == 0)
            try world.ask(from: "pod-1b", Address.cluster(6, "c")).expect([.pod2b: own], "the third")
        }

        @Test func `flow 07: a Service recreated with the same cluster IP has only its new endpoints`() async throws {
            let own = Server.pod1b.address()
            try await world.serve([Served(Service(7), by: [.pod1a, .pod2a])])
            try world.ask(from: "pod-1b", Address.cluster(7)).expect([.pod1a: own, .pod2a: own], "before")
            try await world.serve([])
            #expect(try world.ask(from: "pod-1b", Address.cluster(7), count: 1).answered == 0)
            try await world.serve([Served(Service(7), by: [.pod2b])])
            try world.ask(from: "pod-1b", Address.cluster(7)).expect([.pod2b: own], "after")
        }

        @Test func `flow 26: TCP and UDP of one port lead to different servers`() async throws {
            try await world.serve([Served(Service(26), by: [.pod1a], ports: ["udp": 9090])])
            try world.ask(from: "pod-2a", "tcp", Address.cluster(26)).expect([.pod1a: Server.pod2a.address()], "TCP")
            try world.ask(from: "pod-2a", "udp", Address.cluster(26)).expect(["pod-1a/9090": Server.pod2a.address()], "UDP")
        }

        @Test func `flow 27: SCTP reaches pods on both nodes`() async throws {
            let service = Service(27, ports: [.init(name: "sctp", protocol: "SCTP", port: 80)])
            try await world.serve([Served(service, by: [.pod1a, .pod2a])])
            for family in Family.allCases {
                let own = Server.pod1b.address(family)
                try world.ask(from: "pod-1b", "sctp", Address.cluster(27, "a", family)).expect([.pod1a: own, .pod2a: own], "\(family)")
            }
        }

        @Test func `flow 35: a Service has the endpoints of all its slices`() async throws {
            try await world.serve([Served(Service(35), by: [.pod1a]).and(by: [.pod2a, .pod2b], part: "-more")])
            let own = Server.pod1b.address()
            try world.ask(from: "pod-1b", Address.cluster(35), count: 9).expect([.pod1a: own, .pod2a: own, .pod2b: own], "three")
        }

        /// A named target port has a number in each slice, which may differ.
        @Test func `flow 29: each endpoint is reached at the port of its own slice`() async throws {
            let service = Service(29).onNodePort(30290)
            try await world.serve([Served(service, by: [.pod1a]).and(by: [.pod2a], part: "-named", ports: ["tcp": 9090, "udp": 9090])])
            for family in Family.allCases {
                for transport in ["tcp", "udp"] {
                    let own = Server.pod1b.address(family)
                    try world.ask(from: "pod-1b", transport, Address.cluster(29, "a", family)).expect(
                        ["pod-1a": own, "pod-2a/9090": own], "\(transport) at the cluster IP")
                    let seen = [Server.pod1a, .pod2a].map { Address.masqueraded(by: 1, at: $0, family) }
                    try world.ask(from: "outside", transport, Address.node(1, family), 30290).expect(
                        ["pod-1a": seen[0], "pod-2a/9090": seen[1]], "\(transport) at the node port")
                }
            }
        }

        /// The node's own large datagrams are excluded: the route to a service address is local and has a large MTU, so they are sent
        /// unfragmented, and IPVS cannot forward them. TCP adapts its segment size.
        @Test func `flow 48: large datagrams and bodies arrive complete in both directions`() async throws {
            try await world.serve([Served(Service(48), by: [.pod1a, .pod2a])])
            for family in Family.allCases {
                let address = Address.cluster(48, "a", family)
                let own = Server.pod1b.address(family)
                let seen = Dictionary(
                    uniqueKeysWithValues: [Server.pod1a, .pod2a].map { ($0, Address.masqueraded(by: 1, at: $0, family)) })
                for client in ["outside", "node1"] {
                    try world.ask(from: client, "tcp", address, count: 4, options: Self.large("tcp")).expect(seen, "TCP from \(client)")
                }
                try world.ask(from: "outside", "udp", address, count: 4, options: Self.large("udp")).expect(seen, "UDP, \(family)")
                try world.ask(from: "pod-1b", "tcp", address, count: 4, options: Self.large("tcp")).expect(
                    [.pod1a: own, .pod2a: own], "TCP from a pod, \(family)")
            }
            let own = Server.pod1b.address()
            try world.ask(from: "pod-1b", "udp", Address.cluster(48), count: 4, options: Self.large("udp")).expect(
                [.pod1a: own, .pod2a: own], "UDP from a pod")
            try await expectLargeIPv6DatagramsFromPods()
        }

        private static func large(_ transport: String) -> String { "--timeout-ms 10000 --size \(transport == "udp" ? 20_000 : 200_000)" }

        /// With bridge netfilter, the fragments of a datagram are reassembled before the bridge passes it to IPv6, which clears the
        /// recorded fragment size (`frag_max_size`, in `ip6_rcv_core`). Forwarding does not need it (`ip6_pkt_too_big` checks `ignore_df`),
        /// but IPVS treats a packet larger than the MTU as unfragmented (`__mtu_check_toobig_v6`) and responds with Packet Too Big, with
        /// any proxy. So a pod's fragmented IPv6 datagrams pass IPVS only without a bridge, or with one that does not use netfilter, as
        /// here.
        private func expectLargeIPv6DatagramsFromPods() async throws {
            try await world.serve([Served(Service(48), by: [.pod2a])])
            let setting = "/proc/sys/net/bridge/bridge-nf-call-ip6tables"
            for isBridgeFiltered in [true, false] {
                try await Shell.output(in: "node1", "echo \(isBridgeFiltered ? 1 : 0) >\(setting)")
                let address = isBridgeFiltered ? Server.pod2a.address(.v6) : Address.cluster(48, "a", .v6)
                let port: UInt16 = isBridgeFiltered ? 8080 : 80
                let answers = try world.ask(from: "pod-1b", "udp", address, port, count: 4, options: Self.large("udp"))
                answers.expect([.pod2a: Server.pod1b.address(.v6)], "bridge netfilter: \(isBridgeFiltered), at \(address)")
            }
            try await Shell.output(in: "node1", "echo 1 >\(setting)")
        }

        @Test func `flow 19: a Service labelled for another proxy is not served`() async throws {
            let service = Service(19)
            var labelled = service
            labelled.metadata.labels["service.kubernetes.io/service-proxy-name"] = "another"
            for (service, answered) in [(labelled, 0), (service, 1), (labelled, 0)] {
                try await world.serve([Served(service, by: [.pod1a])])
                let answers = try world.ask(
                    from: "pod-1b", "tcp", Address.cluster(19), count: 1, options: "--timeout-ms \(answered == 0 ? 1500 : 10000)")
                #expect(answers.answered == answered, "\(answers)")
            }
        }

        @Test func `flow 20: slices labelled headless are ignored`() async throws {
            let served = Served(Service(20), by: [.pod1a]).and(by: [.pod2a], part: "-more")
            /// The control plane labels the slices of a headless Service.
            func labelled(last count: Int) -> Served {
                var served = served
                for index in served.slices.indices.suffix(count) {
                    served.slices[index].metadata.labels["service.kubernetes.io/headless"] = ""
                }
                return served
            }
            for (count, servers) in [(0, [.pod1a, .pod2a]), (4, []), (2, [.pod1a]), (0, [.pod1a, .pod2a])] as [(Int, [Server])] {
                try await world.serve([labelled(last: count)])
                for family in Family.allCases {
                    let address = Address.cluster(20, "a", family)
                    if servers.isEmpty {
                        try world.ask(from: "pod-1b", address, count: 1).expectRefused("all labelled")
                    } else {
                        let own = Server.pod1b.address(family)
                        try world.ask(from: "pod-1b", address).expect(
                            Dictionary(uniqueKeysWithValues: servers.map { ($0, own) }), "\(count) labelled")
                    }
                }
            }
        }

        @Test func `flow 43: a cluster IP answers only on the ports and protocols of its own Service`() async throws {
            let one = Service(43, ports: [.init(name: "tcp", port: 80)])
            let two = Service(43, "b", ports: [.init(name: "tcp", port: 81)])
            try await world.serve([Served(one, by: [.pod1a]), Served(two, by: [.pod2a])])
            try world.ask(from: "pod-1b", Address.cluster(43)).expect([.pod1a: Server.pod1b.address()], "its own port")
            try world.ask(from: "pod-1b", "udp", Address.cluster(43), 80, count: 1).expectRefused("UDP")
            try world.ask(from: "pod-1b", Address.cluster(43), 81, count: 1).expectRefused("the other's port")
            try world.ask(from: "pod-1b", Address.cluster(43), 8080, count: 1).expectRefused("the target port")
            #expect(try world.ask(from: "pod-1b", Address.cluster(43, "c"), count: 1).answered == 0, "an address of no Service")
        }

        @Test(arguments: [false, true])
        func `flow 45: hints direct the clients of a node to their zone, or to their node`(isByNode: Bool) async throws {
            var served = Served(Service(45), by: [.pod1a, .pod2a])
            for index in served.slices.indices {
                for (place, number) in [(0, 1), (1, 2)] {
                    let (zone, node) = ([Slice.Endpoint.Hint(name: "zone\(number)")], [Slice.Endpoint.Hint(name: "node\(number)")])
                    served.slices[index].endpoints[place].hints = .init(forZones: zone, forNodes: isByNode ? node : nil)
                }
            }
            try await world.serve([served])
            for (client, server) in [(Server.pod1b, Server.pod1a), (.pod2b, .pod2a)] {
                for family in Family.allCases {
                    try world.ask(from: client.rawValue, Address.cluster(45, "a", family)).expect(
                        [server: client.address(family)], "\(client)")
                }
            }
        }
    }
}
