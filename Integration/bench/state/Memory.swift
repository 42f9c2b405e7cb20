import CMalloc
import Glibc

/// The memory and CPU time of this process.
enum Memory {
    /// Bytes allocated from the heap.
    static var inUse: Int {
        let info = mallinfo2()
        return info.uordblks + info.hblkhd
    }

    /// Resident bytes (`/proc/self/statm`, second field, in pages).
    static var resident: Int {
        let file = open("/proc/self/statm", O_RDONLY)
        defer { close(file) }
        var bytes = [UInt8](repeating: 0, count: 256)
        let count = read(file, &bytes, bytes.count)
        let fields = String(decoding: bytes[..<max(0, count)], as: UTF8.self).split(separator: " ")
        return fields.count > 1 ? (Int(fields[1]) ?? 0) * sysconf(Int32(_SC_PAGESIZE)) : 0
    }

    /// Gives free memory back to the kernel.
    static func trim() { malloc_trim(0) }

    /// User and system time.
    static var cpuSeconds: Double {
        var usage = rusage()
        getrusage(__rusage_who_t(RUSAGE_SELF.rawValue), &usage)
        return Double(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) + Double(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) / 1e6
    }
}
