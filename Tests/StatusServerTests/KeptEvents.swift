import Kubernetes
import Logging
import Synchronization

/// Records events in memory.
final class KeptEvents: EventRecorder {
    private let kept = Mutex<[ClusterEvent]>([])
    var all: [ClusterEvent] { kept.withLock(\.self) }
    func record(_ event: ClusterEvent) { kept.withLock { $0.append(event) } }
}

/// Records log messages in memory.
final class KeptLog: Sendable {
    private let kept = Mutex<[String]>([])
    var messages: [String] { kept.withLock(\.self) }
    var logger: Logger { Logger(label: "test") { _ in Handler(log: self) } }

    private struct Handler: LogHandler {
        let log: KeptLog
        var logLevel = Logger.Level.info
        var metadata: Logger.Metadata = [:]

        subscript(metadataKey key: String) -> Logger.Metadata.Value? {
            get { metadata[key] }
            set { metadata[key] = newValue }
        }

        func log(event: LogEvent) { log.kept.withLock { $0.append("\(event.message)") } }
    }
}
