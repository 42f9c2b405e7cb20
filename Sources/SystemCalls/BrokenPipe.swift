internal import Glibc

/// A pipe or socket whose reader is gone.
public enum BrokenPipe {
    /// Makes a write to it fail, instead of ending this program by SIGPIPE. Programs that this one starts are not affected: they get the default action.
    public static func isAnError() { _ = signal(SIGPIPE, SIG_IGN) }
}
