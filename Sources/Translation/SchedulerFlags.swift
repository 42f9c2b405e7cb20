internal import Model
internal import Text

/// The flags of a virtual server that depend on its scheduler (`IP_VS_SVC_F_SCHED1` to `3`, `linux/ip_vs.h`).
enum SchedulerFlags {
    /// Returns the default flags of a scheduler; only the hash schedulers have any.
    ///
    /// As with kube-proxy, mh hashes the client's port as well, which spreads one client's connections. Without the fallback flag both
    /// schedulers refuse the share of new connections that hashes to a real server with weight 0, for as long as it drains
    /// (net/netfilter/ipvs/ip_vs_mh.c, ip_vs_sh.c).
    static func flags(of scheduler: Scheduler) -> VirtualServer.Flags {
        switch scheduler {
        case .maglevHash: [.hashFallback, .hashPort]
        case .sourceHash: [.hashFallback]
        default: []
        }
    }

    /// Parses comma-separated flags with ipvsadm's names (`sh-port`, `flag-2`). The fallback flag of a hash scheduler is always set.
    static func flags(_ text: String, of scheduler: Scheduler) throws(AnnotationProblem) -> VirtualServer.Flags {
        let known = [VirtualServer.Flags.hashFallback, .hashPort, .schedulerFlag3]
        var flags = SchedulerFlags.flags(of: scheduler).intersection(.hashFallback)
        for word in text.split(separator: ",") {
            let name = word.trimmed
            // ipvsadm accepts the numbered names for every scheduler.
            let found = known.first { $0.schedulerFlagNames(scheduler.name).contains(name) || $0.schedulerFlagNames("").contains(name) }
            guard let found else {
                let names = known.flatMap { $0.schedulerFlagNames(scheduler.name) }
                throw .init(
                    "\"\(InvalidAnnotation.shortened(name))\" is not a flag of scheduler \(scheduler), which has \(names.joined(separator: ", "))"
                )
            }
            flags.insert(found)
        }
        return flags
    }
}
