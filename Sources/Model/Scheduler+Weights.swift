// What schedulers make of weights and of the order of real servers (net/netfilter/ipvs/ip_vs_*.c of Linux 6.1 and 6.18).

extension Scheduler {
    /// The same with an eye for weights: rr and lc only ask whether a weight is 0. With equal weights both share alike.
    public var heedingWeights: Scheduler {
        switch self {
        case .roundRobin: .weightedRoundRobin
        case .leastConnections: .weightedLeastConnections
        default: self
        }
    }

    /// Whether a real server of half the weight gets half the new connections.
    ///
    /// Of the others some take no notice (rr, lc, dh), to some a weight is a rank (fo, ovf), and in some every change of a weight moves clients to
    /// other servers (sh, mh).
    public var sharesByWeight: Bool {
        switch self {
        case .weightedRoundRobin, .weightedLeastConnections, .localityLeastConnections, .localityLeastConnectionsWithReplication,
            .shortestExpectedDelay, .neverQueue, .twoChoices:
            true
        default: false
        }
    }

    /// Whether nodes choose alike if they added their real servers in the same order.
    ///
    /// The others begin at the server that was added last: they had better not do so on all nodes at once.
    public var choosesByOrder: Bool {
        switch self {
        case .sourceHash, .maglevHash, .destinationHash, .failover, .overflow: true
        default: false
        }
    }
}
