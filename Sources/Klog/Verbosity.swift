public import Logging
internal import Synchronization

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
