import Kubernetes
import Logging
import Model
@testable import StatusServer
import SyncLoop
import Testing
import Translation

private let web = NamespacedName(namespace: "default", name: "l")
private let other = NamespacedName(namespace: "default", name: "other")

private func proxyStatus(_ checks: [NamespacedName: HealthCheckNodePort], _ addresses: HealthCheckAddresses = .only([.loopback]))
    -> ProxyStatus
{
    var proxyStatus = ProxyStatus(families: [.ipv4])
    proxyStatus.healthChecks = checks
    proxyStatus.healthCheckAddresses = [.ipv4: addresses]
    return proxyStatus
}

extension IPAddress {
    fileprivate static let loopback = IPAddress(v4: 0x7f00_0001)
}

@Suite struct `J1 The answer of a health check node port` {
    @Test func `matches kube-proxy's byte for byte`() throws {
        let good = HealthCheckAnswer.response(web, localEndpoints: 1, isProxyHealthy: true)
        #expect(good.isSame(as: try RecordedAnswer("service-health")))
        let none = HealthCheckAnswer.response(web, localEndpoints: 0, isProxyHealthy: true)
        #expect(none.isSame(as: try RecordedAnswer("service-health-none")))
    }

    @Test func `is 503 while the proxy is unhealthy, and keeps the endpoint count`() {
        let response = HealthCheckAnswer.response(web, localEndpoints: 18, isProxyHealthy: false)
        #expect(response.status == 503)
        #expect(response.body.contains("\"localEndpoints\": 18") && response.body.contains("\"serviceProxyHealthy\": false"))
        #expect(response.headers.contains(.init("X-Load-Balancing-Endpoint-Weight", "18")))
    }
}

@Suite struct `Health check listeners` {
    @Test func `J2 listen on the node port addresses, one for each family of a Service`() {
        var proxyStatus = proxyStatus([web: HealthCheckNodePort(port: 30000, localEndpoints: [.ipv4: 1, .ipv6: 2])])
        proxyStatus.healthCheckAddresses[.ipv6] = .all
        #expect(
            HealthCheckListeners(proxyStatus).subjects == [
                ListenAddress(.address(.loopback), port: 30000): .init(service: web, family: .ipv4),
                ListenAddress(.all(.ipv6), port: 30000): .init(service: web, family: .ipv6),
            ])
    }

    @Test func `stay with the Service that has the port when another requests it`() {
        let check = HealthCheckNodePort(port: 30000, localEndpoints: [.ipv4: 1])
        let address = ListenAddress(.address(.loopback), port: 30000)
        let wanted = HealthCheckListeners(proxyStatus([web: check, other: check]))
        #expect(wanted.subjects[address]?.service == web && wanted.conflicts == [other: address])
        let later = HealthCheckListeners(proxyStatus([web: check, other: check]), current: [address: .init(service: other, family: .ipv4)])
        #expect(later.subjects[address]?.service == other && later.conflicts == [web: address])
    }
}

@Suite struct `Health check servers` {
    private let board = StatusBoard(families: [.ipv4], syncPeriod: .seconds(30), expectsNode: false)
    private let events = KeptEvents()

    private func publish(_ checks: [NamespacedName: HealthCheckNodePort]) {
        board.synced(SyncOutcome(), proxyStatus(checks), desired: NodeState())
    }

    private func serving(_ body: () async throws -> Void) async throws {
        let servers = HealthCheckServers(
            board, events: events, retry: .milliseconds(50), logger: Logger(label: "test") { _ in SwiftLogNoOpLogHandler() })
        try await withThrowingTaskGroup { group in
            group.addTask { try await servers.run() }
            try await body()
            group.cancelAll()
        }
    }

    private func status(_ port: UInt16) async -> Int? {
        try? await TestConnection.get(port).status
    }

    @Test func `J1 open with the Service, follow its endpoints and its port, and close with it`() async throws {
        let (port, next) = (try TestConnection.freePort(), try TestConnection.freePort())
        try await serving {
            publish([web: HealthCheckNodePort(port: port, localEndpoints: [.ipv4: 0])])
            try await wait { await status(port) == 503 }
            publish([web: HealthCheckNodePort(port: port, localEndpoints: [.ipv4: 18])])
            #expect(await status(port) == 200)
            publish([web: HealthCheckNodePort(port: next, localEndpoints: [.ipv4: 18])])
            try await wait { await status(next) == 200 }
            #expect(await status(port) == nil)
            publish([:])
            try await wait { await status(next) == nil }
        }
    }

    @Test func `J1 that fail to open a port report it once, do not stop others, and open it when it is free`() async throws {
        let (taken, free) = (try TestConnection.freePort(), try TestConnection.freePort())
        let holder = try TestConnection.Holder(taken)
        try await serving {
            publish([
                web: HealthCheckNodePort(port: taken, localEndpoints: [.ipv4: 1]),
                other: HealthCheckNodePort(port: free, localEndpoints: [.ipv4: 1]),
            ])
            try await wait { await status(free) == 200 }
            try await wait { !events.all.isEmpty }
            // Some retries later.
            try await Task.sleep(for: .milliseconds(300))
            #expect(events.all.map(\.reason) == ["FailedToStartServiceHealthcheck"])
            #expect(events.all.first?.regarding == .service(web) && events.all.first?.note.contains("; retrying: ") == true)
            holder.close()
            try await wait { await status(taken) == 200 }
        }
    }

    @Test func `report a port that another Service uses without claiming a retry`() async throws {
        let port = try TestConnection.freePort()
        let check = HealthCheckNodePort(port: port, localEndpoints: [.ipv4: 1])
        try await serving {
            publish([web: check, other: check])
            try await wait { await status(port) == 200 && !events.all.isEmpty }
            let notes = events.all.map(\.note)
            #expect(notes.count == 1 && notes[0].contains("already used by another Service") && !notes[0].contains("retrying"), "\(notes)")
            #expect(events.all.first?.regarding == .service(other))
        }
    }
}
