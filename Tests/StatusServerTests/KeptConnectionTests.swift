import Kubernetes
import Model
import ServiceLifecycle
@testable import StatusServer
import SyncLoop
import Testing
import Translation

/// Runs a service until `body` returns.
func running(_ service: some ServiceLifecycle.Service, _ body: () async throws -> Void) async throws {
    try await withThrowingTaskGroup { group in
        group.addTask { try await service.run() }
        try await body()
        group.cancelAll()
    }
}

/// Returns the status of the response to a GET request; nil without a response.
func status(_ port: UInt16) async -> Int? { try? await TestConnection.get(port).status }

/// The limits themselves are tested with the listener, which all servers share.
extension `A hostile client` {
    /// Keeps connections open that began a request and never finish it.
    private func keepingOpen(_ count: Int, _ port: UInt16, _ body: () async throws -> Void) async throws {
        TestConnection.allowManyDescriptors()
        var kept: [Int32] = []
        defer { kept.forEach { TestConnection.close($0) } }
        for _ in 0..<count {
            let client = try TestConnection(port)
            try await client.send("GET / HT")
            kept.append(client.duplicate())
        }
        try await body()
    }

    @Test(arguments: [StatusServerKind.healthz, .metrics])
    func `that keeps connections open does not block the health and metrics servers`(kind: StatusServerKind) async throws {
        let port = try TestConnection.freePort()
        let service = StatusService(
            kind, at: ListenAddress(.address(IPAddress(v4: 0x7f00_0001)), port: port), hardFail: true, node: "node1", events: KeptEvents(),
            logger: KeptLog().logger
        ) { _ in .text("ok") }
        try await running(service) {
            try await wait { await status(port) == 200 }
            try await keepingOpen(300, port) { #expect(await status(port) == 200) }
        }
    }

    @Test func `that keeps connections open does not block health check node ports`() async throws {
        let port = try TestConnection.freePort()
        let web = NamespacedName(namespace: "default", name: "web")
        let board = StatusBoard(families: [.ipv4], syncPeriod: .seconds(30), expectsNode: false)
        var proxyStatus = ProxyStatus(families: [.ipv4])
        proxyStatus.healthChecks = [web: .init(port: port, localEndpoints: [.ipv4: 1])]
        proxyStatus.healthCheckAddresses = [.ipv4: .only([IPAddress(v4: 0x7f00_0001)])]
        board.synced(SyncOutcome(), proxyStatus, desired: NodeState())
        try await running(HealthCheckServers(board, events: KeptEvents(), logger: KeptLog().logger)) {
            try await wait { await status(port) == 200 }
            try await keepingOpen(700, port) { #expect(await status(port) == 200) }
        }
    }
}
