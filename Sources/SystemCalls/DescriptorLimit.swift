internal import Glibc
public import Logging

/// The limit of open file descriptors of this process (`RLIMIT_NOFILE`).
public enum DescriptorLimit {
    /// Listeners for health check node ports and for node ports on 127.0.0.1, two for each relayed connection, and some for the rest.
    private static let wanted: rlim_t = 65536

    /// Raises the soft limit as far as the hard limit permits: service managers set it to 1,024 for programs that use `select(2)`.
    public static func raise(_ logger: Logger) {
        let resource = __rlimit_resource_t(RLIMIT_NOFILE.rawValue)
        var limit = rlimit()
        guard unsafe getrlimit(resource, &limit) == 0, limit.rlim_cur < wanted else { return }
        let before = limit.rlim_cur
        limit.rlim_cur = min(wanted, limit.rlim_max)
        guard limit.rlim_cur > before, unsafe setrlimit(resource, &limit) != 0 else { return }
        logger.warning("Failed to raise open file limit", metadata: ["limit": "\(before)", "errno": "\(errno)"])
    }
}
