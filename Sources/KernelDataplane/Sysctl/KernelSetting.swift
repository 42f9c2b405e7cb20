internal import Model

/// A setting of the kernel that this program wants to have a value.
struct KernelSetting: Hashable {
    enum Need: Hashable {
        /// Services would not work without it.
        case required
        /// Some kernels lack it, which is told; where it is, it must be set.
        case ifPresent
        /// Told where it cannot be set: a namespace of its own cannot set all that concerns the whole machine.
        case ifPossible
    }

    var sysctl: Sysctl
    var value: String
    var need: Need
    /// More than the value is right too.
    var isMinimum = false

    /// What IPVS mode needs.
    ///
    /// - Parameter kernel: the version of the running kernel.
    static func ipvs(kernel: KernelVersion, strictARP: Bool) -> [KernelSetting] {
        var settings = [
            // MASQUERADE and policies must see IPVS connections.
            KernelSetting(sysctl: Sysctl("net.ipv4.vs.conntrack"), value: "1", need: .required),
            // A connection to a real server that is gone ends with its next packet instead of hanging.
            KernelSetting(sysctl: Sysctl("net.ipv4.vs.expire_nodest_conn"), value: "1", need: .ifPresent),
            // A client's affinity lets go of a real server that drains.
            KernelSetting(sysctl: Sysctl("net.ipv4.vs.expire_quiescent_template"), value: "1", need: .ifPresent),
            KernelSetting(sysctl: Sysctl("net.ipv4.ip_forward"), value: "1", need: .required),
        ]
        if kernel < KernelVersion(5, 9) {
            // Before 5.9 a reused client port costs a second with the default (kubernetes/kubernetes#93297).
            settings.append(KernelSetting(sysctl: Sysctl("net.ipv4.vs.conn_reuse_mode"), value: "0", need: .ifPresent))
        }
        if strictARP {
            settings.append(KernelSetting(sysctl: Sysctl("net.ipv4.conf.all.arp_ignore"), value: "1", need: .required))
            settings.append(KernelSetting(sysctl: Sysctl("net.ipv4.conf.all.arp_announce"), value: "2", need: .required))
        }
        return settings
    }

    /// What the configuration says of connection tracking.
    static func conntrack(_ settings: ConntrackSettings, processors: Int) -> [KernelSetting] {
        var list: [KernelSetting] = []
        func add(_ name: String, _ value: Int64, isMinimum: Bool = false) {
            guard value > 0 else { return }
            list.append(
                KernelSetting(sysctl: Sysctl("net.netfilter.\(name)"), value: "\(value)", need: .ifPossible, isMinimum: isMinimum))
        }
        let maximum = conntrackMaximum(settings, processors: processors)
        add("nf_conntrack_max", Int64(maximum))
        // Four connections a bucket, as the kernel has it where nobody says anything.
        add("nf_conntrack_buckets", Int64(maximum / 4), isMinimum: true)
        add("nf_conntrack_tcp_timeout_established", settings.tcpEstablishedTimeout.components.seconds)
        add("nf_conntrack_tcp_timeout_close_wait", settings.tcpCloseWaitTimeout.components.seconds)
        add("nf_conntrack_tcp_be_liberal", settings.tcpBeLiberal ? 1 : 0)
        add("nf_conntrack_udp_timeout", settings.udpTimeout.components.seconds)
        add("nf_conntrack_udp_timeout_stream", settings.udpStreamTimeout.components.seconds)
        return list
    }

    /// How many connections to track; 0 for as many as now.
    static func conntrackMaximum(_ settings: ConntrackSettings, processors: Int) -> Int {
        guard settings.maxPerCore > 0 else { return 0 }
        let scaled = settings.maxPerCore.multipliedReportingOverflow(by: processors)
        guard !scaled.overflow, scaled.partialValue <= conntrackCeiling else { return conntrackCeiling }
        return max(scaled.partialValue, settings.min)
    }

    /// Machines with very many processors would spend their memory on it: it holds for the number by processors, not for the minimum.
    private static let conntrackCeiling = 1 << 20

    /// Whether the kernel has what is wanted.
    func isSatisfied(by current: String) -> Bool {
        if isMinimum, let current = Int64(current), let wanted = Int64(value) { return current >= wanted }
        return current == value
    }
}
