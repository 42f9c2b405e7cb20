internal import Glibc
internal import MetricsRegistry
internal import Text

/// Metrics of this process from the kernel (`/proc/self`), with the names of Prometheus client libraries.
struct ProcessMetrics {
    /// The start time of the program.
    let start: WallTime

    /// The current metrics, without those that cannot be read.
    var families: [any MetricFamily] {
        var families: [any MetricFamily] = [startTime]
        func add(_ metric: NumberMetric, _ value: Double?) {
            guard let value else { return }
            metric.set(value)
            families.append(metric)
        }
        var usage = rusage()
        if unsafe getrusage(__rusage_who_t(RUSAGE_SELF.rawValue), &usage) == 0 {
            let seconds = Double(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec)
            add(
                .counter("process_cpu_seconds_total", "Total user and system CPU time spent in seconds."),
                seconds + Double(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) / 1e6)
        }
        let pages = ProcessMetrics.pages()
        add(.gauge("process_resident_memory_bytes", "Resident memory size in bytes."), pages?.resident)
        add(.gauge("process_virtual_memory_bytes", "Virtual memory size in bytes."), pages?.virtual)
        add(.gauge("process_open_fds", "Number of open file descriptors."), ProcessMetrics.openDescriptors())
        var limit = rlimit()
        if unsafe getrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit) == 0 {
            add(.gauge("process_max_fds", "Maximum number of open file descriptors."), Double(limit.rlim_cur))
        }
        if unsafe getrlimit(__rlimit_resource_t(RLIMIT_AS.rawValue), &limit) == 0 {
            add(
                .gauge("process_virtual_memory_max_bytes", "Maximum amount of virtual memory available in bytes."),
                Double(limit.rlim_cur))
        }
        return families
    }

    var startTime: NumberMetric {
        let metric = NumberMetric.gauge("process_start_time_seconds", "Start time of the process since unix epoch in seconds.")
        metric.set(start.secondsSinceEpoch)
        return metric
    }

    /// Returns the virtual and resident size in bytes, from the first two fields of `/proc/self/statm`, which are in pages.
    private static func pages() -> (virtual: Double, resident: Double)? {
        let file = unsafe open("/proc/self/statm", O_RDONLY | O_CLOEXEC)
        guard file >= 0 else { return nil }
        defer { close(file) }
        var bytes = [UInt8](repeating: 0, count: 256)
        let count = unsafe read(file, &bytes, bytes.count)
        guard count > 0 else { return nil }
        let numbers = String(decoding: bytes[..<count], as: UTF8.self).split(separator: " ").prefix(2).compactMap { Double($0) }
        guard numbers.count == 2 else { return nil }
        let size = Double(sysconf(Int32(_SC_PAGESIZE)))
        return (numbers[0] * size, numbers[1] * size)
    }

    private static func openDescriptors() -> Double? {
        guard let directory = unsafe opendir("/proc/self/fd") else { return nil }
        defer { unsafe closedir(directory) }
        // Without `.`, `..` and the descriptor of the directory itself.
        var count = -3
        while unsafe readdir(directory) != nil { count += 1 }
        return Double(count)
    }
}
