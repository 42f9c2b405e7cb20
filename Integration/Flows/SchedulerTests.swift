import KernelTestSupport
import Testing

extension Flows {
    /// A client reaches the same server through every node.
    @Suite struct `Flows with the mh scheduler` {
        private static let clients = 1000

        @Test func `lead each of 1,000 clients to the same server through either node`() async throws {
            let nodes = TwoNodes.shared
            let number = 90
            var service = Service(number)
            service.metadata.annotations = ["kube-ipvs-proxy.io/scheduler": "mh", "kube-ipvs-proxy.io/scheduler-flags": ""]
            service.spec.externalIPs = [1, 2].map { Address.external(number, through: $0) }
            try await nodes.serve([Served(service, by: Server.pods)])
            try await Shell.output("ip -netns outside route replace local 198.18.0.0/22 dev lo")
            var servers: [[String]] = []
            for node in [1, 2] {
                servers.append(
                    try (0..<Self.clients).map { client in
                        let source = "198.18.\(client / 250).\(client % 250 + 1)"
                        let answers = try nodes.ask(
                            from: "outside", "tcp", Address.external(number, through: node), count: 1,
                            options: "--timeout-ms 10000 --source \(source)")
                        return answers.responders.keys.first ?? "none: \(answers.errors)"
                    })
            }
            #expect(servers[0] == servers[1])
            #expect(Set(servers[0]) == Set(Server.pods.map(\.rawValue)))
        }
    }
}
