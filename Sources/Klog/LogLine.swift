internal import Logging

/// A line of the log before it is written down.
struct LogLine {
    var level: Logger.Level
    var message: String
    var metadata: Logger.Metadata
    /// `NodeProxy/NodeProxy.swift`
    var file: String
    var line: UInt
    /// Since the epoch, of `CLOCK_REALTIME`.
    var seconds: Int
    var nanoseconds: Int

    /// What is told beside the message, by name.
    var pairs: [(name: String, value: String)] {
        metadata.sorted { $0.key < $1.key }.map { ($0.key, "\($0.value)") }
    }
}

/// How a line is written down (`--logging-format`).
public enum LogFormat: String, Sendable {
    case text, json

    func written(_ line: LogLine) -> String {
        switch self {
        case .text: line.text
        case .json: line.json
        }
    }
}
