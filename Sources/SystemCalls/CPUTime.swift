internal import Glibc

/// The CPU time that was used so far.
public enum CPUTime {
    /// Of the current thread (clock_gettime(2), `CLOCK_THREAD_CPUTIME_ID`).
    public static var ofThread: Duration {
        var time = timespec()
        // Fails only for clocks that do not exist.
        unsafe clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time)
        return .seconds(time.tv_sec) + .nanoseconds(time.tv_nsec)
    }

    /// Of the programs that this process started and that have ended (getrusage(2), `RUSAGE_CHILDREN`).
    public static var ofEndedPrograms: Duration {
        var usage = rusage()
        // Fails only for values that do not exist.
        unsafe getrusage(__rusage_who_t(RUSAGE_CHILDREN.rawValue), &usage)
        return [usage.ru_utime, usage.ru_stime].reduce(.zero) { $0 + .seconds($1.tv_sec) + .microseconds($1.tv_usec) }
    }
}
