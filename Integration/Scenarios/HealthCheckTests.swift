import KernelTestSupport
import Testing

extension Scenarios {
    /// The HTTP endpoints for load balancers and operators, requested with curl.
    @Suite struct `Health checks` {
        let world = World.shared

        private static let port = 31000

        private func balancer(_ policy: String = "Local") -> String {
            """
            apiVersion: v1
            kind: Service
            metadata: {name: l, namespace: default}
            spec:
              type: LoadBalancer
              clusterIP: 10.96.0.20
              clusterIPs: ["10.96.0.20", "fd00:96::20"]
              ipFamilies: [IPv4, IPv6]
              ipFamilyPolicy: RequireDualStack
              externalTrafficPolicy: \(policy)
              \(policy == "Local" ? "healthCheckNodePort: \(Scenarios.`Health checks`.port)" : "")
              ports: [{name: tcp, port: 80, targetPort: 8080, nodePort: 30090}]
            status: {loadBalancer: {ingress: [{ip: 192.0.2.60}]}}
            """
        }

        /// Returns a slice with these endpoints and conditions on a node.
        private func slice(_ endpoints: [(pod: String, conditions: String)], node: String = "node1") -> String {
            let list = endpoints.map {
                "- {addresses: [\"\(World.address($0.pod))\"], conditions: {\($0.conditions)}, nodeName: \(node)}\n"
            }
            return """
                apiVersion: discovery.k8s.io/v1
                kind: EndpointSlice
                metadata: {name: l-4, namespace: default, labels: {kubernetes.io/service-name: l}}
                addressType: IPv4
                ports: [{name: tcp, port: 8080}]
                endpoints:\(list.isEmpty ? " []" : "")
                \(list.joined())
                """
        }

        private let ready = "ready: true"
        private let terminating = "ready: false, serving: true, terminating: true"

        /// Returns status and weight, such as `200 2`; `000` without a response.
        private func ask(_ address: String = World.node.outside, from client: String = "outside") async throws -> String {
            try await Shell.output(
                in: client,
                "curl --silent --globoff --max-time 30 --output /dev/null --write-out '%{http_code} %header{x-load-balancing-endpoint-weight}' "
                    + "http://\(address):\(Scenarios.`Health checks`.port)/ || true"
            ).trimmingSuffix(while: \.isWhitespace)
        }

        private func waitFor(_ answer: String) async throws {
            try await world.wait(for: "the health check node port to return \(answer)") { try await ask() == answer }
        }

        private func begin(_ endpoints: [(pod: String, conditions: String)], _ flags: String = "") async throws {
            try await world.begin()
            try await world.write("l.yaml", balancer())
            try await world.write("slice.yaml", slice(endpoints))
            try await world.start(flags)
        }

        @Test func `A9.3 of a Service count its ready local endpoints, and fail if all of them are terminating`() async throws {
            try await begin([("pod-a", ready), ("pod-b", ready)])
            try await waitFor("200 2")
            for client in ["node1", "pod-a", "outside"] { #expect(try await ask(from: client) == "200 2", "\(client)") }
            #expect(try await ask("[\(World.node.outside6)]") == "503 0", "the Service has no IPv6 endpoints")
            try await world.write("slice.yaml", slice([("pod-a", ready), ("pod-b", terminating)]))
            try await waitFor("200 1")
            try await world.write("slice.yaml", slice([("pod-a", terminating), ("pod-b", terminating)]))
            try await waitFor("503 0")
            try await world.write("slice.yaml", slice([("pod-a", ready)], node: "node2"))
            try await waitFor("503 0")
            try await world.write("slice.yaml", slice([("pod-c", ready)]))
            try await waitFor("200 1")
        }

        @Test func `A9.2 open and close with the policy of the Service, and with the Service`() async throws {
            try await begin([("pod-a", ready)])
            try await waitFor("200 1")
            try await world.write("l.yaml", balancer("Cluster"))
            try await waitFor("000")
            try await world.write("l.yaml", balancer())
            try await waitFor("200 1")
            try await world.remove("l.yaml")
            try await waitFor("000")
        }

        @Test func `J2 listen only on the node port addresses, and follow them`() async throws {
            try await begin([("pod-a", ready)], "--nodeport-addresses 10.99.7.0/24 --ipvs-sync-period 1s")
            #expect(try await ask() == "000")
            try await Shell.output(in: "node1", "ip address add 10.99.7.2/32 dev lo")
            try await world.wait(for: "the new address to answer") { try await ask("10.99.7.2", from: "node1") == "200 1" }
            #expect(try await ask() == "000")
            try await Shell.output(in: "node1", "ip address del 10.99.7.2/32 dev lo")
            try await world.wait(for: "the server to stop listening") {
                try await !Shell.output(in: "node1", "ss --no-header --listening --tcp --numeric").contains("10.99.7.2:")
            }
        }

        @Test func `J3 J5 of the proxy are good once the kernel is in sync`() async throws {
            try await begin([("pod-a", ready)])
            for path in ["healthz", "livez"] {
                let answer = try await Shell.output(
                    in: "outside", "curl --silent --include --max-time 30 http://\(World.node.outside):10256/\(path)")
                #expect(answer.hasPrefix("HTTP/1.1 200") && answer.contains("\"healthy\":true"), "\(answer)")
            }
            let status = try await Shell.output(
                in: "outside",
                "curl --silent --globoff --max-time 30 --output /dev/null --write-out '%{http_code}' http://[\(World.node.outside6)]:10256/healthz"
            )
            #expect(status == "200", "0.0.0.0 means all addresses, as for Go")
        }

        @Test func `of a proxy have no server if its address is empty or its port is 0`() async throws {
            try await begin([("pod-a", ready)], "--metrics-bind-address= --healthz-port 0")
            let listening = try await Shell.output(in: "node1", "ss --no-header --listening --tcp --numeric")
            #expect(listening.contains(":\(Scenarios.`Health checks`.port) "), "\(listening)")
            #expect(!listening.contains(":10249 ") && !listening.contains(":10256 "), "\(listening)")
        }

        /// The host's own server listens on port 10255 of all addresses.
        @Test(arguments: ["--healthz-bind-address 0.0.0.0:10255", "--metrics-bind-address 127.0.0.1:10255"])
        func `of a proxy end it if their address is in use and it is configured to, without changing the kernel`(flag: String)
            async throws
        {
            try await world.begin()
            try await world.write("l.yaml", balancer())
            try await world.write("slice.yaml", slice([("pod-a", ready)]))
            try await world.launch("\(flag) --bind-address-hard-fail")
            let process = try #require(await world.proxy)
            try await world.wait(for: "the proxy to exit") { try await !Shell.attempt("kill -0 \(process)").succeeded }
            let log = try await world.log()
            #expect(log.contains("Error: listen on ") && log.contains(":10255: ") && log.contains("in use"), "\(log)")
            try await world.start(flag)
            #expect(try await world.log().contains("Failed to listen; retrying"))
        }

        @Test func `A17 for operators are served only on the node, and can set the log level`() async throws {
            try await begin([("pod-a", ready)], "--profiling")
            try await world.write("slice.yaml", slice([("pod-a", ready)], node: "node2"))
            func get(_ path: String, from client: String = "node1") async throws -> String {
                try await Shell.output(in: client, "curl --silent --max-time 30 http://127.0.0.1:10249\(path)")
            }
            try await world.wait(for: "the Service to be counted as one without local endpoints") {
                try await get("/metrics").contains(
                    #"kubeproxy_sync_proxy_rules_no_local_endpoints_total{ip_family="IPv4",traffic_policy="external"} 1"#)
            }
            #expect(try await get("/proxyMode") == "ipvs")
            #expect(try await get("/configz").hasPrefix(#"{"kubeproxy.config.k8s.io":{"kind":"KubeProxyConfiguration","apiVersion":"#))
            #expect(try await get("/flagz").contains("\nprofiling=true\n"))
            #expect(try await get("/statusz").hasSuffix("\nPaths  /configz /flagz /healthz /metrics /proxyMode"))
            let refused = try await Shell.attempt(
                "ip netns exec outside curl --silent --max-time 5 http://\(World.node.outside):10249/metrics")
            #expect(!refused.succeeded, "the metrics address is loopback")
            #expect(try await get("/debug/flags/v --request PUT --data 6").contains("successfully set"))
        }
    }
}

extension String {
    fileprivate func trimmingSuffix(while predicate: (Character) -> Bool) -> String {
        var copy = self
        while let last = copy.last, predicate(last) { copy.removeLast() }
        return copy
    }
}
