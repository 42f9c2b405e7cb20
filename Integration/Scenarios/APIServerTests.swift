import KernelTestSupport
import Testing

extension Scenarios {
    /// Reads the cluster from an API server over TLS, even if it misbehaves.
    @Suite(.enabled(if: !APIServer.isOfACluster, "requires the test API server, which can misbehave")) struct `The API server` {
        let world = World.shared
        let server = APIServer.shared

        private func begin() async throws {
            try await world.begin()
            try await server.start()
            for object in [APIObject.node(), .web(), .slice(World.pods), .slice(World.pods, isV6: true)] { try await server.put(object) }
        }

        /// Returns the lines of the cluster IPs in the kernel, without draining servers, which the API server does not have.
        private func servers() async throws -> [String] {
            try await Shell.output(in: "node1", "ipvsadm -S -n").split(separator: "\n").map(String.init).filter {
                !$0.contains("10.99.0.2:") && !$0.contains("[fd00:99::2]:") && !$0.contains("10.244.1.1:")
                    && !$0.contains("[fd00:244:1::1]:")
                    && !$0.hasSuffix("-w 0")
            }.sorted()
        }

        /// Waits until the kernel matches the API server.
        private func expectEqual(after what: String) async throws {
            let expected = try await server.expected()
            try await world.wait(for: "the kernel's state after \(what) to be\n\(expected.joined(separator: "\n"))") {
                try await servers() == expected
            }
        }

        @Test(arguments: ["application/vnd.kubernetes.protobuf", "application/json"])
        func `is watched over TLS in either encoding, and gets an Event when the proxy starts`(contentType: String) async throws {
            try await begin()
            try await world.start("--kube-api-content-type \(contentType)", flags: World.apiFlags)
            try await expectEqual(after: "the start")
            for (address, port) in [(Manifests.clusterIP, Manifests.port), (World.node.outside6, Manifests.nodePort)] {
                let answers = try await Answers.ask(from: "outside", "tcp", address, port)
                #expect(answers.responders == ["pod-a": 3, "pod-b": 3, "pod-c": 3], "\(answers)")
            }
            try await server.put(.slice(["pod-b"]))
            try await server.put(.slice(["pod-b"], isV6: true))
            try await expectEqual(after: "a change")
            try await server.delete(.web())
            try await expectEqual(after: "deleting the Service")
            #expect(try await servers().isEmpty)
            let lists = try await server.requests(containing: "sendInitialEvents=true")
            #expect(lists.contains { $0.contains("/services?") && $0.contains("!service.kubernetes.io/service-proxy-name") }, "\(lists)")
            try await world.wait(for: "the Event about the start of the proxy") {
                try await server.request("GET", "/_test/events").contains("StartKubeProxy")
            }
            let odd = try await server.request(
                "POST", "/api/v1/namespaces/default/services",
                #"{"apiVersion":"v1","kind":"Service","metadata":{"name":"odd","annotations":{"kube-ipvs-proxy.io/scheduler":"none"}},"#
                    + #""spec":{"clusterIP":"10.96.0.77","clusterIPs":["10.96.0.77"],"ports":[{"port":80,"protocol":"TCP"}]}}"#)
            let uid = try #require(odd.firstMatch(of: /"uid": ?"([^"]+)"/)).1
            try await world.wait(for: "an Event on the Service that kubectl describe would find") {
                try await server.request("GET", "/_test/events").split(separator: "\"kind\":\"Event\"").contains {
                    $0.contains("InvalidAnnotation") && $0.contains("\"uid\":\"\(uid)\"")
                }
            }
        }

        /// Commands that make the server misbehave, sent one after another, each between two changes.
        private static let misbehaviour = [
            ("interrupt", #"{"resource":"*","action":"cut"}"#), ("interrupt", #"{"resource":"endpointslices","action":"half"}"#),
            ("interrupt", #"{"resource":"endpointslices","action":"garbage"}"#),
            ("interrupt", #"{"resource":"services","action":"bookmark","offset":-50}"#),
            ("interrupt", #"{"resource":"services","action":"deleted","name":"never"}"#),
            ("faults", #"{"call":"watch","resource":"endpointslices","fault":"errorEvent","code":410,"reason":"Expired"}"#),
            ("faults", #"{"call":"watch","resource":"endpointslices","fault":"status","code":410,"reason":"Gone"}"#),
            (
                "faults",
                #"{"call":"watch","resource":"endpointslices","fault":"status","code":429,"reason":"TooManyRequests","retryAfter":1}"#
            ),
            ("faults", #"{"call":"watch","resource":"endpointslices","fault":"status","code":500,"count":3}"#),
            ("faults", #"{"call":"watch","resource":"endpointslices","fault":"cut","afterBytes":40}"#),
            ("faults", #"{"call":"watch","resource":"endpointslices","fault":"slow","milliseconds":2000}"#),
            ("compact", "{}"),
        ]

        @Test func `may misbehave in any way, and the kernel still reaches its state`() async throws {
            try await begin()
            try await world.start(flags: World.apiFlags)
            for (index, (command, body)) in Self.misbehaviour.enumerated() {
                try await server.control(command, body)
                // A fault applies to the next watch, so the current one is ended.
                if command != "interrupt" { try await server.control("interrupt", #"{"resource":"endpointslices","action":"end"}"#) }
                try await server.put(.slice([World.pods[index % 3], World.pods[(index + 1) % 3]]))
                try await expectEqual(after: body)
            }
            // A deletion that no watch reports and only a list can show.
            try await server.put(.web("other", address: "10.96.0.20", address6: "fd00:96::20"))
            try await expectEqual(after: "another Service")
            try await server.control("interrupt", #"{"resource":"services","action":"loseDelete"}"#)
            try await server.delete(.web("other"))
            try await server.control(
                "faults", #"{"call":"watch","resource":"services","fault":"errorEvent","code":410,"reason":"Expired"}"#)
            try await server.control("interrupt", #"{"resource":"services","action":"end"}"#)
            try await expectEqual(after: "a lost deletion")
        }

        @Test func `may change the token, and the proxy rereads its token file`() async throws {
            try await begin()
            try await world.start(flags: World.apiFlags)
            try await server.control("token", #"{"token":"second"}"#)
            try await Shell.output("echo second >\(Place.api)/token.new; mv \(Place.api)/token.new \(Place.api)/token")
            try await server.control("interrupt", #"{"resource":"*","action":"cut"}"#)
            try await server.put(.slice(["pod-c"]))
            try await expectEqual(after: "another token")
        }

        @Test func `may be unreachable: the data plane is kept, a restart adopts it, and missed changes are applied after reconnecting`()
            async throws
        {
            try await begin()
            try await world.start(flags: World.apiFlags)
            // In both directions: a watch that is open could still receive the change.
            try await world.block(port: 6443)
            try await server.put(.slice(["pod-a"]))
            let before = try await servers()
            try await world.kill()
            try await world.launch(flags: World.apiFlags)
            try await Task.sleep(for: .seconds(8))
            #expect(try await servers() == before)
            #expect(try await Answers.ask(from: "pod-b", "tcp", Manifests.clusterIP, 80).failed == 0)
            #expect(try await !world.log().contains("Applied"), "nothing is planned before the cluster is known")
            try await world.unblock()
            try await expectEqual(after: "reconnecting to the API server")
            let applied = try await world.log().split(separator: "\n").filter { $0.contains("\"Applied\"") }
            let gone = ["pod-b", "pod-c"].map { World.address($0) }
            let others = applied.filter { line in !gone.contains { line.contains($0) } && !line.contains("conntrack -D") }
            #expect(!applied.isEmpty && others.isEmpty, "only what differs is changed: \(others)")
        }

        @Test func `may become silent: a dead connection is closed within a minute`() async throws {
            try await begin()
            try await world.start(flags: World.apiFlags)
            // Packets are dropped in both directions, as if a load balancer in between lost the connection state.
            try await world.block(port: 6443, onlyEstablished: true)
            try await Task.sleep(for: .seconds(40))
            try await server.put(.slice(["pod-b"]))
            try await world.unblock()
            try await expectEqual(after: "a silent connection")
        }

        @Test func `must have this node's Node object before the proxy serves`() async throws {
            try await begin()
            try await server.delete(.node())
            try await world.launch("--nodeport-addresses primary", flags: World.apiFlags)
            try await world.waitForLog("Waiting for Node object")
            try await Task.sleep(for: .seconds(2))
            #expect(try await servers().isEmpty)
            try await server.put(.node(["10.99.0.2"]))
            try await expectEqual(after: "the Node")
            let table = try await Shell.output(in: "node1", "ipvsadm -S -n")
            #expect(table.contains("-A -t 10.99.0.2:30080") && !table.contains("10.244.1.1:30080"), "\(table)")
            try await server.delete(.node())
            try await world.waitForLog("Node object deleted")
            #expect(try await Shell.output(in: "node1", "ipvsadm -S -n").contains("-A -t 10.99.0.2:30080"))
        }

        @Test func `provides the pod CIDRs for NodeCIDR mode, and their changes`() async throws {
            try await begin()
            try await world.launch("--detect-local-mode NodeCIDR", flags: World.apiFlags)
            try await world.waitForLog("Waiting for Node object")
            for range in ["10.244.1.0/24", "10.244.2.0/24"] {
                try await server.put(.node(podCIDRs: [range]))
                try await world.wait(for: "\(range) in the rules") {
                    try await NodeFilter().rules().contains { $0.contains(NodeFilter.isNotFrom(range)) }
                }
            }
        }

        /// Like k3s's servicelb, which writes the addresses of all nodes into the status of each load balancer.
        @Test func `provides other Nodes: a load balancer IP that is theirs is not bound, and this node still reaches them`() async throws {
            try await begin()
            // The outside network simulates the other node, with a kubelet.
            try await Shell.output(
                in: "outside",
                """
                ip address add 10.99.0.3/24 dev $(ip -o route get 10.99.0.2 | sed -E 's/.* dev ([^ ]+).*/\\1/'); \
                setsid \(Place.traffic) serve --name kubelet --http 10250 </dev/null >/dev/null 2>&1 &
                """)
            let kubelet = "curl --silent --max-time 5 http://10.99.0.3:10250/"
            try await world.wait(for: "the other node's kubelet") {
                try await Shell.attempt("ip netns exec node1 \(kubelet)").succeeded
            }
            try await server.put(.node(["10.99.0.3"], name: "node2"))
            try await world.start(flags: World.apiFlags)
            #expect(try await server.requests(containing: "metadata.name!=").isEmpty, "no Service requires the other Nodes")

            try await server.put(.loadBalancer("traefik", address: "10.96.0.90", ingress: ["10.99.0.2", "10.99.0.3", "192.0.2.77"]))
            try await server.put(.slice(["pod-a"], of: "traefik"))
            try await world.wait(for: "the load balancer") {
                try await Shell.output(in: "node1", "ipvsadm -S -n").contains("-a -t 192.0.2.77:80 -r 10.244.1.10:8080")
            }
            func addresses() async throws -> String { try await Shell.output(in: "node1", "ip -4 -o address show dev kube-ipvs0") }
            #expect(try await !server.requests(containing: "metadata.name!=node1").isEmpty)
            #expect(try await addresses().contains("192.0.2.77/32"))
            #expect(try await !addresses().contains("10.99.0."))
            #expect(try await !Shell.output(in: "node1", "ipvsadm -S -n").contains("10.99.0.3"))
            #expect(try await Shell.output(in: "node1", "ip route get 10.99.0.3").contains(" dev "))
            #expect(try await !Shell.output(in: "node1", "ip route get 10.99.0.3").contains("dev lo"))
            #expect(try await Shell.attempt("ip netns exec node1 \(kubelet)").succeeded, "the other node's kubelet is unreachable")
            #expect(try await Answers.ask(from: "pod-b", "tcp", "192.0.2.77", 80).responders == ["pod-a": 9])
            try await world.wait(for: "an Event that names the address") {
                try await server.request("GET", "/_test/events").contains("status.loadBalancer.ingress 10.99.0.3: is an address of a node")
            }

            // An address of a Node that is added later is released at once.
            try await server.put(.node(["192.0.2.77"], name: "node3"))
            try await world.wait(for: "the address to be released") { try await !addresses().contains("192.0.2.77") }
            #expect(try await !Shell.output(in: "node1", "ipvsadm -S -n").contains("192.0.2.77"))

            // A restart never binds it, not even briefly.
            try await world.kill()
            let watch = try await Shell.output(
                "setsid ip netns exec node1 ip monitor address </dev/null >\(Place.scratch)/monitor 2>&1 & echo $!")
            // The monitor must see a change before the restart, and one after it.
            func changes(_ address: String) async throws -> String {
                try await Shell.output(in: "node1", "ip address add \(address)/32 dev lo; ip address del \(address)/32 dev lo")
                return try String(ofFile: "\(Place.scratch)/monitor")
            }
            try await world.wait(for: "the monitor") { try await changes("198.51.100.6").contains("198.51.100.6") }
            try await world.start(flags: World.apiFlags)
            var monitored = ""
            try await world.wait(for: "the monitor") {
                monitored = try await changes("198.51.100.7")
                return monitored.contains("198.51.100.7")
            }
            try await Shell.output("kill \(watch)")
            #expect(!monitored.contains("192.0.2.77") && !monitored.contains("10.99.0.3"), "\(monitored)")
            try await server.delete(.node(name: "node3"))
            try await world.wait(for: "the address to be served again") { try await addresses().contains("192.0.2.77") }
            try await Shell.output(
                in: "outside",
                "ip address del 10.99.0.3/24 dev $(ip -o route get 10.99.0.2 | sed -E 's/.* dev ([^ ]+).*/\\1/'); pkill -f '[n]ame kubelet'"
            )
        }

        @Test func `serves commands that read it once`() async throws {
            try await begin()
            let plan = try await Shell.attempt("ip netns exec node1 \(Place.proxy) plan \(World.apiFlags)")
            #expect(plan.succeeded && plan.output.contains("ipvsadm -A -t 10.96.0.10:80 -s rr"), "\(plan.output)")
            let once = try await Shell.attempt("ip netns exec node1 \(Place.proxy) --once \(World.apiFlags)")
            #expect(once.succeeded, "\(once.output)")
            try await expectEqual(after: "--once")
            let second = try await Shell.attempt("ip netns exec node1 \(Place.proxy) plan \(World.apiFlags)")
            #expect(second.succeeded && second.output.isEmpty, "\(second.output)")
            try await server.stop()
        }
    }
}
