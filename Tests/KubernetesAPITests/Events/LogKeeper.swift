import Logging
import Synchronization

/// Keeps log messages, for tests of their texts and number.
final class LogKeeper: Sendable {
    private let kept = Mutex<[String]>([])

    /// The lines so far: `warning Failed to record Event`.
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
