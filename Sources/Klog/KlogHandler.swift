internal import Glibc
public import Logging
internal import Synchronization

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

extension Logger {
    /// A logger to standard error in klog's formats.
    ///
    /// - Parameters:
    ///   - verbosity: what `--v` says.
    ///   - quiet: only warnings and errors, unless more was asked for: for commands whose result is what they print.
    public init(verbosity: UInt32, format: LogFormat = .text, quiet: Bool = false) {
        self.init(label: "kube-ipvs-proxy") { _ in KlogHandler(format) }
        logLevel = quiet && verbosity == 0 ? .warning : Verbosity.level(Int(verbosity))
    }
}

/// How much is logged (`--v`), and how that is changed while the program runs.
public enum Verbosity {
    private static let override = Mutex<Logger.Level?>(nil)

    /// What `--v` means: 0 what matters, 4 each operation on the kernel, 6 everything.
    public static func level(_ number: Int) -> Logger.Level { number >= 6 ? .trace : number >= 4 ? .debug : .info }

    /// For all loggers, whatever they were made with.
    public static func set(_ number: Int) { override.withLock { $0 = level(number) } }

    /// Nil until somebody sets it.
    static var current: Logger.Level? { override.withLock(\.self) }
}
