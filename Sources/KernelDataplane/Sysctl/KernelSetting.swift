internal import Model

/// A kernel setting with the value that this program requires.
struct KernelSetting: Hashable {
    enum Need: Hashable {
        /// Services do not work without it.
        case required
        /// Some kernels lack it, which is logged; otherwise it must be set.
        case ifPresent
        /// A failure to set it is logged: global settings cannot be set in a network namespace other than the host's.
        case ifPossible
    }

    var sysctl: Sysctl
    var value: String
    var need: Need
    /// Whether greater values satisfy the setting too.
    var isMinimum = false

    /// The settings for IPVS mode.
    static func ipvs(strictARP: Bool) -> [KernelSetting] {
        var settings = [
            // MASQUERADE and policies must see IPVS connections.
            KernelSetting(sysctl: Sysctl("net.ipv4.vs.conntrack"), value: "1", need: .required),
            // A connection to a removed real server ends with its next packet instead of hanging.
            KernelSetting(sysctl: Sysctl("net.ipv4.vs.expire_nodest_conn"), value: "1", need: .ifPresent),
            // Session affinity releases a client from a real server that drains.
            KernelSetting(sysctl: Sysctl("net.ipv4.vs.expire_quiescent_template"), value: "1", need: .ifPresent),
            KernelSetting(sysctl: Sysctl("net.ipv4.ip_forward"), value: "1", need: .required),
        ]
        if strictARP {
            settings.append(KernelSetting(sysctl: Sysctl("net.ipv4.conf.all.arp_ignore"), value: "1", need: .required))
            settings.append(KernelSetting(sysctl: Sysctl("net.ipv4.conf.all.arp_announce"), value: "2", need: .required))
        }
        return settings
    }

    /// The conntrack settings of the configuration.
    static func conntrack(_ settings: ConntrackSettings, processors: Int) -> [KernelSetting] {
        var list: [KernelSetting] = []
        func add(_ name: String, _ value: Int64, isMinimum: Bool = false) {
            guard value > 0 else { return }
            list.append(
                KernelSetting(sysctl: Sysctl("net.netfilter.\(name)"), value: "\(value)", need: .ifPossible, isMinimum: isMinimum))
        }
        let maximum = conntrackMaximum(settings, processors: processors)
        add("nf_conntrack_max", Int64(maximum))
        // Four connections per bucket, the kernel's default.
        add("nf_conntrack_buckets", Int64(maximum / 4), isMinimum: true)
        add("nf_conntrack_tcp_timeout_established", settings.tcpEstablishedTimeout.components.seconds)
        add("nf_conntrack_tcp_timeout_close_wait", settings.tcpCloseWaitTimeout.components.seconds)
        add("nf_conntrack_tcp_be_liberal", settings.tcpBeLiberal ? 1 : 0)
        add("nf_conntrack_udp_timeout", settings.udpTimeout.components.seconds)
        add("nf_conntrack_udp_timeout_stream", settings.udpStreamTimeout.components.seconds)
        return list
    }

    /// The maximum number of connections to track; 0 to keep the current limit.
    static func conntrackMaximum(_ settings: ConntrackSettings, processors: Int) -> Int {
        guard settings.maxPerCore > 0 else { return 0 }
        let scaled = settings.maxPerCore.multipliedReportingOverflow(by: processors)
        guard !scaled.overflow, scaled.partialValue <= conntrackCeiling else { return conntrackCeiling }
        return max(scaled.partialValue, settings.min)
    }

    /// Limits memory on machines with many processors; applies to the number by processors, not to the minimum.
    private static let conntrackCeiling = 1 << 20

    /// Whether the kernel's value satisfies the setting.
    func isSatisfied(by current: String) -> Bool {
        if isMinimum, let current = Int64(current), let wanted = Int64(value) { return current >= wanted }
        return current == value
    }
}
