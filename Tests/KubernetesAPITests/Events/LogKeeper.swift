import Logging
import Synchronization

/// Keeps what is logged, for tests of what is told and how often.
final class LogKeeper: Sendable {
    private let kept = Mutex<[String]>([])

    /// The lines so far: `warning event not recorded`.
    var lines: [String] { kept.withLock { $0 } }

    var logger: Logger { Logger(label: "test") { _ in Handler(keeper: self) } }

    private struct Handler: LogHandler {
        let keeper: LogKeeper
        var metadata: Logger.Metadata = [:]
        var logLevel = Logger.Level.info

        subscript(metadataKey key: String) -> Logger.Metadata.Value? {
            get { metadata[key] }
            set { metadata[key] = newValue }
        }

        func log(event: LogEvent) {
            keeper.kept.withLock { $0.append("\(event.level) \(event.message)") }
        }
    }
}
