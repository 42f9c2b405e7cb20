import Model
import StatusServer
import SyncLoop
import Testing

@testable import kube_ipvs_proxy

@Suite struct `Memory` {
    private enum Release {
        case freeMemory, programFile
    }

    private let memory: MemoryRelease
    private let releases: AsyncStream<Release>

    init() {
        let (releases, released) = AsyncStream.makeStream(of: Release.self)
        self.releases = releases
        memory = MemoryRelease(
            quietTime: .milliseconds(1), releaseFreeMemory: { released.yield(.freeMemory) },
            releaseProgramFile: { released.yield(.programFile) })
    }

    private func sync(_ services: Int = 0) {
        var outcome = SyncOutcome()
        outcome.translated = Set((0..<services).map { .init(namespace: "default", name: "s\($0)") })
        memory.synced(outcome, ProxyStatus(families: [.ipv4]), desired: NodeState())
    }

    private func respond(_ bytes: Int) {
        let response = StatusResponse(status: 200, headers: [], body: String(repeating: "a", count: bytes))
        #expect(memory.requestRelease(ifLarge: response) == response)
    }

    @Test func `is released after the first sync, large syncs and large responses, that of the program file once`() async throws {
        let running = Task { [memory] in try await memory.run() }
        var releases = releases.makeAsyncIterator()
        respond(1 << 20)
        #expect(await releases.next() == .freeMemory)
        sync()
        #expect(await releases.next() == .freeMemory)
        #expect(await releases.next() == .programFile)
        sync(1000)
        #expect(await releases.next() == .freeMemory)
        respond(1 << 20)
        #expect(await releases.next() == .freeMemory)
        // Would be a release of the program file, if there were another one.
        sync(1000)
        #expect(await releases.next() == .freeMemory)
        running.cancel()
        try await running.value
    }

    @Test func `is not released after small syncs and responses`() {
        sync()
        let count = memory.requests
        sync(999)
        respond(1000)
        #expect(memory.requests == count)
        respond(256 << 10)
        #expect(memory.requests == count + 1)
    }
}
