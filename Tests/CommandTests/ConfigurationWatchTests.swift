import Foundation
import Kubernetes
import Logging
import ServiceLifecycle
import Testing
import SystemCalls

@testable import kube_ipvs_proxy

/// Runs until the program ends.
private struct Idle: ServiceLifecycle.Service {
    func run() async throws { try await gracefulShutdown() }
}

@Suite struct `A running program` {
    @Test func `M8: exits with kube-proxy's message when its file changes, and with the original error when a service fails`() async throws
    {
        let path = FileManager.default.temporaryDirectory.path(percentEncoded: false) + "/\(UInt64.random(in: 0 ... .max)).conf"
        try "a".write(toFile: path, atomically: true, encoding: .utf8)
        defer {
            // Leftover temporary files are harmless.
            try? FileManager.default.removeItem(atPath: path)
        }
        let group = ServiceGroup(
            services: [Idle(), ConfigurationWatch(file: try WatchedFile(path))],
            logger: Logger(label: "test") { _ in SwiftLogNoOpLogHandler() })
        let end = Task { try await group.run() }
        try FileHandle(forWritingTo: URL(filePath: path)).write(contentsOf: Data("b".utf8))
        let error = await #expect(throws: ConfigurationChanged.self) { try await end.value }
        #expect(error.map { "\($0)" } == "content of the proxy server's configuration file was updated")

        struct Failure: Error {}
        struct Failing: ServiceLifecycle.Service { func run() async throws { throw Failure() } }
        let failing = ServiceGroup(
            services: [Failing(), ConfigurationWatch(file: try WatchedFile(path))],
            logger: Logger(label: "test") { _ in SwiftLogNoOpLogHandler() })
        await #expect(throws: Failure.self) { try await failing.run() }
    }
}
