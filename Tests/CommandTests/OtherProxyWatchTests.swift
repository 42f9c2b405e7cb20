import KernelDataplane
import Kubernetes
import Logging
import Synchronization
import Testing

@testable import kube_ipvs_proxy

/// Keeps the logged messages.
private struct KeptLog: LogHandler {
    let lines: Lines
    var logLevel = Logger.Level.trace
    var metadata: Logger.Metadata = [:]

    final class Lines: Sendable {
        let texts = Mutex<[String]>([])
    }

    init(_ lines: Lines) { self.lines = lines }

    subscript(metadataKey key: String) -> Logger.Metadata.Value? {
        get { metadata[key] }
        set { metadata[key] = newValue }
    }

    func log(event: LogEvent) { lines.texts.withLock { $0.append(event.message.description) } }
}

@Suite struct `The watch for other node proxies` {
    @Test func `does not take a failed check for the end of the other proxy`() async throws {
        var found = OtherProxies()
        found.portsOfOthers = [10249]
        let results: [Result<OtherProxies, DataplaneError>] = [
            .success(found), .failure(DataplaneError("/proc", "too many open files", isTemporary: true)), .success(found),
            .success(OtherProxies()),
        ]
        let lines = KeptLog.Lines()
        let next = Mutex(0)
        let (ends, end) = AsyncStream.makeStream(of: Void.self)
        let watch = OtherProxyWatch(
            nodeName: "node1", interval: .zero, events: NoEvents(), logger: Logger(label: "test") { _ in KeptLog(lines) },
            find: { () throws(DataplaneError) in
                let number = next.withLock { count in
                    count += 1
                    return count - 1
                }
                if number >= results.count { end.finish() }
                return try results[min(number, results.count - 1)].get()
            })
        let watching = Task { try await watch.run() }
        for await _ in ends {}
        watching.cancel()
        try await watching.value
        #expect(
            lines.texts.withLock(\.self) == [
                "kube-proxy ports in use; another node proxy may be running on this node", "Failed to list other node proxies; retrying",
                "Other node proxy stopped",
            ])
    }
}
