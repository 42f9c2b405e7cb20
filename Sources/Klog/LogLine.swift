internal import Glibc
internal import Logging
internal import Text

/// A line of the log, before formatting.
struct LogLine {
    var level: Logger.Level
    var message: String
    var metadata: Logger.Metadata
    /// `NodeProxy/NodeProxy.swift`
    var file: String
    var line: UInt
    /// The time since the epoch, by `CLOCK_REALTIME`.
    var seconds: Int
    var nanoseconds: Int

    /// The metadata, sorted by name.
    var pairs: [(name: String, value: String)] {
        metadata.sorted { $0.key < $1.key }.map { ($0.key, "\($0.value)") }
    }
}

/// The format of log lines (`--logging-format`).
public enum LogFormat: String, Sendable {
    case text, json

    func written(_ line: LogLine) -> String {
        switch self {
        case .text: line.text
        case .json: line.json
        }
    }
}

extension LogLine {
    /// The line in klog's text format: `I1123 00:41:39.533763    1234 NodeProxy.swift:98] "Synced" bind="2"`.
    var text: String {
        let name = file.split(separator: "/").last ?? ""
        let values = pairs.map { " \($0.name)=\($0.value.goQuoted)" }.joined()
        return "\(prefix) \(name):\(line)] \(message.goQuoted)\(values)"
    }

    private var prefix: String {
        var time = time_t(seconds)
        var local = unsafe tm()
        _ = unsafe localtime_r(&time, &local)
        let letter =
            switch level {
            case .trace, .debug, .info, .notice: "I"
            case .warning: "W"
            case .error: "E"
            case .critical: "F"
            }
        let (month, dayOfMonth) = unsafe (local.tm_mon + 1, local.tm_mday)
        let (hour, minute, second) = unsafe (local.tm_hour, local.tm_min, local.tm_sec)
        let day = "\(month.padded(2))\(dayOfMonth.padded(2))"
        let clock = [hour, minute, second].map { $0.padded(2) }.joined(separator: ":")
        let process = String(getpid())
        let space = String(repeating: " ", count: max(0, 7 - process.count))
        return "\(letter)\(day) \(clock).\((nanoseconds / 1000).padded(6)) \(space)\(process)"
    }
}

extension LogLine {
    /// The line in the format of Kubernetes components with `--logging-format json` (k8s.io/component-base/logs/json):
    /// `{"ts":1795399350680.123,"caller":"NodeProxy/NodeProxy.swift:98","msg":"Synced","v":0,"bind":"2"}`.
    ///
    /// As there, metadata named `error` becomes `err`, and an error has no `v`. A warning also has `severity`, to distinguish it from info.
    var json: String {
        // Names and encoded values.
        var fields = [("ts", timestamp), ("caller", "\(file):\(line)".jsonQuoted), ("msg", message.jsonQuoted)]
        if let verbosity { fields.append(("v", "\(verbosity)")) }
        if level == .warning { fields.append(("severity", "warning".jsonQuoted)) }
        let taken = Set(fields.map(\.0))
        // Parsers treat duplicate names of an object differently, so that a name in use gets a suffix.
        for (name, value) in pairs {
            fields.append((taken.contains(name) ? "\(name)_" : name == "error" ? "err" : name, value.jsonQuoted))
        }
        return "{" + fields.map { "\($0.0.jsonQuoted):\($0.1)" }.joined(separator: ",") + "}"
    }

    /// The minimum `--v` at which the line is written; nil for errors, which are always written.
    private var verbosity: Int? {
        switch level {
        case .trace: 6
        case .debug: 4
        case .info, .notice, .warning: 0
        case .error, .critical: nil
        }
    }

    /// Milliseconds since the epoch, with fractions.
    private var timestamp: String {
        let micro = nanoseconds / 1000 % 1000
        let digits = String(1000 + micro).dropFirst()
        return "\(seconds * 1000 + nanoseconds / 1_000_000)" + (micro == 0 ? "" : ".\(digits)")
    }
}
