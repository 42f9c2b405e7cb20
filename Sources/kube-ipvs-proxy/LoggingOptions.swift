internal import ArgumentParser
internal import Logging

/// How much to tell.
struct LoggingOptions: ParsableArguments {
    @Option(
        name: [.customLong("v"), .customShort("v")],
        help: ArgumentHelp("How much to log: 0 what matters, 4 each operation on the kernel, 6 everything.", valueName: "level"))
    var v = 0

    /// A logger to standard error in klog's format.
    ///
    /// - Parameter quiet: only warnings and errors, unless more was asked for: for commands whose result is what they print.
    func logger(quiet: Bool = false) -> Logger {
        var logger = Logger(label: "kube-ipvs-proxy") { _ in KlogHandler() }
        logger.logLevel = quiet && v == 0 ? .warning : Verbosity.level(v)
        return logger
    }
}
