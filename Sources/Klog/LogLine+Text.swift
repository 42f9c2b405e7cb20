internal import Glibc
internal import Logging
internal import Text

extension LogLine {
    /// As klog writes it: `I1123 00:41:39.533763    1234 NodeProxy.swift:98] "Synced" bind="2"`.
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
