internal import Glibc
internal import Logging

/// Writes lines as klog does: `I1123 00:41:39.533763    1234 Synchronizer.swift:98] "Synced" bind="2"`.
struct KlogHandler: LogHandler {
    private var ownLevel = Logger.Level.info
    var logLevel: Logger.Level {
        get { Verbosity.current ?? ownLevel }
        set { ownLevel = newValue }
    }
    var metadata: Logger.Metadata = [:]

    subscript(metadataKey key: String) -> Logger.Metadata.Value? {
        get { metadata[key] }
        set { metadata[key] = newValue }
    }

    func log(event: LogEvent) {
        let merged = metadata.merging(event.metadata ?? [:]) { $1 }
        let pairs = merged.sorted { $0.key < $1.key }.map { " \($0.key)=\(KlogHandler.quoted("\($0.value)"))" }.joined()
        let file = event.file.split(separator: "/").last ?? ""
        let line = "\(KlogHandler.prefix(event.level)) \(file):\(event.line)] \(KlogHandler.quoted("\(event.message)"))\(pairs)\n"
        // One write, so that lines of several threads do not mix; there is nobody to tell that standard error is gone.
        _ = unsafe Array(line.utf8).withUnsafeBytes { unsafe write(STDERR_FILENO, $0.baseAddress, $0.count) }
    }

    private static func prefix(_ level: Logger.Level) -> String {
        var now = timespec()
        _ = unsafe clock_gettime(CLOCK_REALTIME, &now)
        var local = unsafe tm()
        _ = unsafe localtime_r(&now.tv_sec, &local)
        let letter =
            switch level {
            case .trace, .debug, .info, .notice: "I"
            case .warning: "W"
            case .error: "E"
            case .critical: "F"
            }
        let (month, dayOfMonth) = unsafe (local.tm_mon + 1, local.tm_mday)
        let (hour, minute, second) = unsafe (local.tm_hour, local.tm_min, local.tm_sec)
        let day = "\(padded(month, 2))\(padded(dayOfMonth, 2))"
        let time = "\(padded(hour, 2)):\(padded(minute, 2)):\(padded(second, 2)).\(padded(Int32(now.tv_nsec / 1000), 6))"
        let process = String(getpid())
        return "\(letter)\(day) \(time) \(String(repeating: " ", count: max(0, 7 - process.count)))\(process)"
    }

    private static func padded(_ number: Int32, _ width: Int) -> String {
        let digits = String(number)
        return String(repeating: "0", count: max(0, width - digits.count)) + digits
    }

    /// As Go's `%q`: what comes from manifests cannot begin a new line.
    private static func quoted(_ text: String) -> String {
        var result = "\""
        for scalar in text.unicodeScalars {
            switch scalar {
            case "\"": result += "\\\""
            case "\\": result += "\\\\"
            case "\n": result += "\\n"
            case "\t": result += "\\t"
            case _ where scalar.value < 0x20 || scalar.value == 0x7f:
                result += "\\x" + (scalar.value < 16 ? "0" : "") + String(scalar.value, radix: 16)
            default: result.unicodeScalars.append(scalar)
            }
        }
        return result + "\""
    }
}
