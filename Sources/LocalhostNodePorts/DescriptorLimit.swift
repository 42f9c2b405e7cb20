internal import Glibc
internal import Logging

/// How many descriptors this process may have (`RLIMIT_NOFILE`).
enum DescriptorLimit {
    /// A listener for each port of the usual node port range, two for each connection, and what the program has besides.
    private static let wanted: rlim_t = 8192

    /// Raises the soft limit, where it is low, as far as the hard one lets it: service managers set it to 1,024 for programs that use `select(2)`.
    static func raise(_ logger: Logger) {
        let resource = __rlimit_resource_t(RLIMIT_NOFILE.rawValue)
        var limit = rlimit()
        guard unsafe getrlimit(resource, &limit) == 0, limit.rlim_cur < wanted else { return }
        limit.rlim_cur = min(wanted, limit.rlim_max)
        let status = unsafe setrlimit(resource, &limit)
        guard status != 0 || limit.rlim_cur < wanted else { return }
        logger.warning(
            "Few descriptors are allowed: node ports of 127.0.0.1 may run out of them",
            metadata: ["limit": "\(limit.rlim_cur)", "wanted": "\(wanted)"])
    }
}
