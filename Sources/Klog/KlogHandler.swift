internal import Glibc
public import Logging
internal import Synchronization

/// Writes log lines to standard error, as klog does.
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
        let text = format.written(line)
        KlogHandler.output.withLock { output in
            output.write(text) { dropped in
                var notice = line
                (notice.level, notice.message, notice.metadata) = (.warning, "Dropped log lines that nobody read", ["lines": "\(dropped)"])
                return format.written(notice)
            }
        }
    }

    /// Of all loggers, so that lines of several threads do not mix.
    private static let output = Mutex(LogOutput(STDERR_FILENO, patience: 1000))
}

extension Logger {
    /// Creates a logger to standard error in klog's formats.
    ///
    /// - Parameters:
    ///   - verbosity: The value of `--v`.
    ///   - quiet: Whether only warnings and errors are logged at verbosity 0, for commands that print a result.
    public init(verbosity: UInt32, format: LogFormat = .text, quiet: Bool = false) {
        self.init(label: "kube-ipvs-proxy") { _ in KlogHandler(format) }
        logLevel = quiet && verbosity == 0 ? .warning : Verbosity.level(Int(verbosity))
    }
}

/// The log verbosity (`--v`), which can change while the program runs.
public enum Verbosity {
    private static let override = Mutex<Logger.Level?>(nil)

    /// Returns the level for `--v`: from 0 info, from 4 also each kernel operation, from 6 everything.
    public static func level(_ number: Int) -> Logger.Level { number >= 6 ? .trace : number >= 4 ? .debug : .info }

    /// Sets the verbosity of all loggers, overriding their own.
    public static func set(_ number: Int) { override.withLock { $0 = level(number) } }

    /// The level that was set; nil if none was.
    static var current: Logger.Level? { override.withLock(\.self) }
}
