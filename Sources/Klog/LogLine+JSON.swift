internal import Logging
internal import Text

extension LogLine {
    /// As Kubernetes's components write it with `--logging-format json` (k8s.io/component-base/logs/json):
    /// `{"ts":1795399350680.123,"caller":"NodeProxy/NodeProxy.swift:98","msg":"Synced","v":0,"bind":"2"}`.
    ///
    /// What is an error has `err` and no `v`, as there. What is a warning has `severity` besides: it would look like any other line.
    var json: String {
        // Names, and values as they are written.
        var fields = [("ts", timestamp), ("caller", "\(file):\(line)".jsonQuoted), ("msg", message.jsonQuoted)]
        if let verbosity { fields.append(("v", "\(verbosity)")) }
        if level == .warning { fields.append(("severity", "warning".jsonQuoted)) }
        let taken = Set(fields.map(\.0))
        // A name that is taken already would be an object that readers understand in different ways.
        for (name, value) in pairs {
            fields.append((taken.contains(name) ? "\(name)_" : name == "error" ? "err" : name, value.jsonQuoted))
        }
        return "{" + fields.map { "\($0.0.jsonQuoted):\($0.1)" }.joined(separator: ",") + "}"
    }

    /// What `-v` has to be at least for the line to be written; nil for errors, which are always.
    private var verbosity: Int? {
        switch level {
        case .trace: 6
        case .debug: 4
        case .info, .notice, .warning: 0
        case .error, .critical: nil
        }
    }

    /// Milliseconds since the epoch, with parts of them.
    private var timestamp: String {
        let micro = nanoseconds / 1000 % 1000
        let digits = String(1000 + micro).dropFirst()
        return "\(seconds * 1000 + nanoseconds / 1_000_000)" + (micro == 0 ? "" : ".\(digits)")
    }
}
