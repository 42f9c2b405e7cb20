import Kubernetes
import Model
import NodeProxy
@testable import StatusServer
import Testing

/// The servers at `--healthz-bind-address` and `--metrics-bind-address`, on real sockets.
@Suite(.serialized) struct `A health or metrics server` {
    private let events = KeptEvents()
    private let log = KeptLog()

    private func service(_ kind: StatusServerKind, _ port: UInt16, hardFail: Bool = false) -> StatusService {
        StatusService(
            kind, at: ListenAddress(.address(IPAddress(v4: 0x7f00_0001)), port: port), hardFail: hardFail, node: "node1", events: events,
            retry: .milliseconds(50), logger: log.logger
        ) { _ in .text("ok") }
    }

    @Test(arguments: [
        (StatusServerKind.healthz, "FailedToStartProxierHealthcheck"), (.metrics, "FailedToStartMetricServer"),
    ])
    func `whose address is in use ends the program with an Event on the Node if configured to`(
        kind: StatusServerKind, reason: String
    ) async throws {
        let holder = try TestConnection.Holder(0)
        defer { holder.close() }
        let error = await #expect(throws: ListenError.self) { try await service(kind, holder.port, hardFail: true).run() }
        #expect(error?.description == "listen on 127.0.0.1:\(holder.port): \(error?.reason ?? "")")
        #expect(error?.reason.contains("Address already in use") == true, "\(error?.reason ?? "")")
        let event = try #require(events.all.first)
        #expect(events.all.count == 1 && event.reason == reason && event.action == "StartKubeProxy")
        #expect(event.regarding == .node("node1"))
    }

    @Test(arguments: [StatusServerKind.healthz, .metrics])
    func `whose address is in use logs it once, and listens when it is free`(kind: StatusServerKind) async throws {
        let holder = try TestConnection.Holder(0)
        try await running(service(kind, holder.port)) {
            try await wait { !log.messages.isEmpty }
            // Some retries later.
            try await Task.sleep(for: .milliseconds(300))
            #expect(log.messages == ["Failed to listen; retrying"] && events.all.isEmpty)
            holder.close()
            try await wait { await status(holder.port) == 200 }
            #expect(log.messages.last == "Listening")
        }
        #expect(await status(holder.port) == nil, "its port is free after it has stopped")
    }

    @Test(arguments: [false, true])
    func `whose address the instance has that it waits for says nothing, and listens when it is free`(hardFail: Bool) async throws {
        let holder = try TestConnection.Holder(0)
        let service = StatusService(
            .healthz, at: ListenAddress(.address(IPAddress(v4: 0x7f00_0001)), port: holder.port), hardFail: hardFail, node: "node1",
            events: events, isStandby: { true }, logger: log.logger
        ) { _ in .text("ok") }
        try await running(service) {
            try await Task.sleep(for: .milliseconds(300))
            #expect(log.messages == [] && events.all.isEmpty)
            holder.close()
            try await wait { await status(holder.port) == 200 }
        }
    }
}
