public import Logging

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
