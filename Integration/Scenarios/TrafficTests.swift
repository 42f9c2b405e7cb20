import KernelTestSupport
import Testing

private let transports = ["tcp", "udp", "sctp"]

extension Scenarios {
    /// Real packets through real virtual servers.
    @Suite struct `Traffic` {
        let world = World.shared

        private func serveWeb(_ flags: String = "") async throws {
            try await world.begin()
            try await world.write("web.yaml", Manifests.web())
            try await world.write("slices.yaml", Manifests.slices(World.pods))
            try await world.start(flags)
        }

        @Test func `to a cluster IP and a node port is answered by all pods, over every protocol and family, from node, pod and outside`()
            async throws
        {
            try await serveWeb()
            for transport in transports {
                for isV6 in [false, true] {
                    let clusterIP = isV6 ? Manifests.clusterIP6 : Manifests.clusterIP
                    let node = isV6 ? World.node.outside6 : World.node.outside
                    for client in ["node1", "pod-c", "outside"] {
                        for (address, port) in [(clusterIP, Manifests.port), (node, Manifests.nodePort)] {
                            let answers = try await Answers.ask(from: client, transport, address, port)
                            let context: Comment = "\(transport) from \(client) to \(address):\(port): \(answers)"
                            #expect(answers.failed == 0, context)
                            #expect(answers.responders == ["pod-a": 3, "pod-b": 3, "pod-c": 3], context)
                            try expectClients(answers, client, isClusterIP: port == Manifests.port, isV6, context)
                        }
                    }
                }
            }
        }

        /// A cluster IP preserves the address of a pod; all other traffic is masqueraded as the node.
        private func expectClients(_ answers: Answers, _ client: String, isClusterIP: Bool, _ isV6: Bool, _ context: Comment) throws {
            let bridge = isV6 ? World.node.bridge6 : World.node.bridge
            guard client == "pod-c", isClusterIP else {
                #expect(answers.clients == [bridge: 9], context)
                return
            }
            // The third of its requests that reach the pod itself are masqueraded, or they would be dropped.
            let own = isV6 ? World.address6("pod-c") : World.address("pod-c")
            #expect(answers.clients == [own: 6, bridge: 3], context)
        }

        @Test(arguments: transports) func `of a pod to itself through its Service arrives`(transport: String) async throws {
            try await world.begin()
            try await world.write("web.yaml", Manifests.web())
            try await world.write("slices.yaml", Manifests.slices(["pod-a"]))
            try await world.start()
            for address in [Manifests.clusterIP, Manifests.clusterIP6] {
                let answers = try await Answers.ask(from: "pod-a", transport, address, Manifests.port, "--count 4")
                #expect(answers.failed == 0 && answers.responders == ["pod-a": 4], "\(answers)")
            }
        }

        @Test func `to a port of the host is refused on a service address, and answered on the node's address`() async throws {
            try await serveWeb()
            for address in [Manifests.clusterIP, Manifests.clusterIP6] {
                for client in ["pod-a", "outside"] {
                    let answers = try await Answers.ask(from: client, "tcp", address, 10255, "--count 1")
                    #expect(answers.errors == ["connection refused": 1], "\(client): \(answers)")
                }
            }
            #expect(try await Answers.ask(from: "outside", "tcp", World.node.outside, 10255, "--count 1").responders == ["host": 1])
        }

        @Test(arguments: ["tcp", "udp"]) func `to a Service without endpoints is refused immediately`(transport: String) async throws {
            try await world.begin()
            try await world.write("web.yaml", Manifests.web())
            try await world.write("slices.yaml", Manifests.slices([]))
            try await world.start()
            for (address, port) in [
                (Manifests.clusterIP, Manifests.port), (Manifests.clusterIP6, Manifests.port), (World.node.outside, Manifests.nodePort),
                (World.node.outside6, Manifests.nodePort),
            ] {
                for client in ["node1", "pod-a", "outside"] {
                    let answers = try await Answers.ask(from: client, transport, address, port, "--count 1")
                    // The node's own datagram fails in the system call: IPVS drops it on output.
                    let refusal = transport == "udp" && client == "node1" ? "operation not permitted" : "connection refused"
                    #expect(answers.errors == [refusal: 1], "\(transport) from \(client) to \(address): \(answers)")
                }
            }
        }

        @Test func `is shown correctly by curl, conntrack and ipvsadm`() async throws {
            try await serveWeb()
            _ = try await Answers.ask(from: "pod-a", "tcp", Manifests.clusterIP, Manifests.port, "--count 3")
            let page = try await Shell.output(
                in: "pod-a", "curl --silent --fail --max-time 30 http://\(Manifests.clusterIP)/ http://[\(Manifests.clusterIP6)]/")
            #expect(page.split(separator: "\n").count == 2 && page.hasPrefix("pod-"), "\(page)")
            let flows = try await Shell.output(in: "node1", "conntrack -L -p tcp --orig-dst \(Manifests.clusterIP) 2>/dev/null")
            #expect(flows.contains("src=\(World.address("pod-b"))"), "the reply comes from a pod: \(flows)")
            // The kernel sums its counters every two seconds (net/netfilter/ipvs/ip_vs_est.c).
            try await world.wait(for: "ipvsadm to count packets and bytes in both directions") {
                let table = try await Shell.output(in: "node1", "ipvsadm -L -n --stats -t \(Manifests.clusterIP):\(Manifests.port)")
                let counts =
                    table.split(separator: "\n").last { $0.contains("\(Manifests.clusterIP):") }?.split(separator: " ").dropFirst(2) ?? []
                return counts.count == 5 && !counts.contains("0")
            }
        }

        @Test func `with masquerade-all is also masqueraded from pods`() async throws {
            try await serveWeb("--masquerade-all")
            let answers = try await Answers.ask(from: "pod-a", "tcp", Manifests.clusterIP, Manifests.port)
            #expect(answers.clients == [World.node.bridge: 9], "\(answers)")
        }

        /// Service addresses are local addresses, which a host port of another program applies to.
        @Test func `to a service address is not taken over by a host port of another program`() async throws {
            try await world.begin()
            try await world.write("web.yaml", Manifests.web())
            try await world.write("slices.yaml", Manifests.slices(["pod-a"]))
            try await world.start()
            let target = "\(World.address("pod-c")):8080"
            try await Shell.output(
                in: "node1",
                Place.hasIPTables
                    ? """
                    for chain in PREROUTING OUTPUT; do
                        iptables-\(Place.iptables) -t nat -A $chain -p tcp --dport \(Manifests.port) -m addrtype --dst-type LOCAL -j DNAT --to-destination \(target)
                    done
                    """
                    : """
                    nft -f - <<END
                    table ip hostports {
                        chain prerouting {
                            type nat hook prerouting priority -100
                            tcp dport \(Manifests.port) fib daddr type local dnat to \(target)
                        }
                        chain output {
                            type nat hook output priority -100
                            tcp dport \(Manifests.port) fib daddr type local dnat to \(target)
                        }
                    }
                    END
                    """)
            for client in ["pod-b", "outside", "node1"] {
                let answers = try await Answers.ask(from: client, "tcp", Manifests.clusterIP, Manifests.port)
                #expect(answers.failed == 0 && Set(answers.responders.keys) == ["pod-a"], "\(client): \(answers)")
            }
            let answers = try await Answers.ask(from: "outside", "tcp", World.node.outside, Manifests.port)
            #expect(answers.failed == 0 && Set(answers.responders.keys) == ["pod-c"], "the host port itself: \(answers)")
        }

        @Test func `follows another scheduler`() async throws {
            try await serveWeb("--ipvs-scheduler sh")
            let answers = try await Answers.ask(from: "pod-a", "tcp", Manifests.clusterIP, Manifests.port)
            #expect(answers.failed == 0 && answers.responders.count == 1, "one client, one server by source hash: \(answers)")
        }

        @Test func `to the two Services of the service-networking example reaches the nginx pod with unchanged manifests`() async throws {
            try await world.begin()
            let lesson = try String(ofFile: "\(Place.repository)/deploy/examples/service-networking.yaml")
            try await world.write("lesson.yaml", lesson)
            try await world.start()
            let servers = try await Shell.output(in: "node1", "ipvsadm -S -n")
            let virtual = servers.split(separator: "\n").filter { $0.hasPrefix("-A") }.compactMap {
                $0.split(separator: " ").dropFirst(2).first.map(String.init)
            }
            #expect(virtual.contains { $0.hasPrefix("10.99.0.2:") })
            #expect(virtual.count { $0.hasPrefix("10.96.") || $0.hasSuffix(":80") } >= 2, "\(servers)")
            for location in virtual where !location.hasPrefix("10.244.") {
                let parts = location.split(separator: ":")
                let answers = try await Answers.ask(from: "pod-b", "tcp", String(parts[0]), UInt16(parts[1]) ?? 0, "--count 2")
                #expect(answers.responders == ["nginx": 2], "\(location): \(answers)")
            }
        }
    }
}
