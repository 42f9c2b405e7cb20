internal import Model

/// How a client keeps its endpoint.
enum Affinity {
    /// Flags that a scheduler by hash needs.
    ///
    /// kube-proxy has mh hash the client's port too, which spreads one client's connections. Without the fall-back flag both refuse the share of new
    /// connections that hashes to a real server with weight 0, for as long as it drains (net/netfilter/ipvs/ip_vs_mh.c, ip_vs_sh.c).
    static func flags(of scheduler: Scheduler) -> VirtualServer.Flags {
        switch scheduler {
        case .maglevHash: [.hashFallback, .hashPort]
        case .sourceHash: [.hashFallback]
        default: []
        }
    }
}
