internal import Glibc
internal import Logging

/// Writes lines to standard error as klog does.
struct KlogHandler: LogHandler {
    let format: LogFormat
    private var ownLevel = Logger.Level.info

    init(_ format: LogFormat) { self.format = format }

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
        var now = timespec()
        _ = unsafe clock_gettime(CLOCK_REALTIME, &now)
        let line = LogLine(
            level: event.level, message: "\(event.message)", metadata: metadata.merging(event.metadata ?? [:]) { $1 }, file: event.file,
            line: event.line, seconds: now.tv_sec, nanoseconds: now.tv_nsec)
        // One write, so that lines of several threads do not mix; there is nobody to tell that standard error is gone.
        _ = unsafe Array("\(format.written(line))\n".utf8).withUnsafeBytes { unsafe write(STDERR_FILENO, $0.baseAddress, $0.count) }
    }
}
