internal import Glibc

/// The CPU time of the programs that this process started, and that have ended (getrusage(2), `RUSAGE_CHILDREN`).
public enum ProgramTime {
    public static var total: Duration {
        var usage = rusage()
        guard unsafe getrusage(__rusage_who_t(RUSAGE_CHILDREN.rawValue), &usage) == 0 else { return .zero }
        return [usage.ru_utime, usage.ru_stime].reduce(.zero) { $0 + .seconds($1.tv_sec) + .microseconds($1.tv_usec) }
    }
}
