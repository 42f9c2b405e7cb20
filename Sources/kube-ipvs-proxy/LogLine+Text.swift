internal import Glibc
internal import Logging

extension LogLine {
    /// As klog writes it: `I1123 00:41:39.533763    1234 Synchronizer.swift:98] "Synced" bind="2"`.
    var text: String {
        let name = file.split(separator: "/").last ?? ""
        let values = pairs.map { " \($0.name)=\(LogLine.quoted($0.value))" }.joined()
        return "\(prefix) \(name):\(line)] \(LogLine.quoted(message))\(values)"
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
        let day = "\(LogLine.padded(month, 2))\(LogLine.padded(dayOfMonth, 2))"
        let clock = [hour, minute, second].map { LogLine.padded($0, 2) }.joined(separator: ":")
        let process = String(getpid())
        let space = String(repeating: " ", count: max(0, 7 - process.count))
        return "\(letter)\(day) \(clock).\(LogLine.padded(Int32(nanoseconds / 1000), 6)) \(space)\(process)"
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
