/// The name of an IPVS scheduler: the kernel module `ip_vs_<name>`.
public struct Scheduler: Hashable, Sendable, CustomStringConvertible {
    public let name: String

    /// Nil if the kernel could not store the name: 1…15 bytes (`IP_VS_SCHEDNAME_MAXLEN`, `linux/ip_vs.h`), letters, digits and `_-`.
    public init?(_ name: String) {
        let allowed = name.utf8.allSatisfy {
            switch $0 {
            case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "_"), UInt8(ascii: "-"): true
            default: false
            }
        }
        guard (1...15).contains(name.utf8.count), allowed else { return nil }
        self.name = name
    }

    private init(known name: String) { self.name = name }

    public static let roundRobin = Scheduler(known: "rr")
    public static let weightedRoundRobin = Scheduler(known: "wrr")
    public static let leastConnections = Scheduler(known: "lc")
    public static let weightedLeastConnections = Scheduler(known: "wlc")
    public static let localityLeastConnections = Scheduler(known: "lblc")
    public static let localityLeastConnectionsWithReplication = Scheduler(known: "lblcr")
    public static let destinationHash = Scheduler(known: "dh")
    public static let sourceHash = Scheduler(known: "sh")
    public static let shortestExpectedDelay = Scheduler(known: "sed")
    public static let neverQueue = Scheduler(known: "nq")
    public static let failover = Scheduler(known: "fo")
    public static let overflow = Scheduler(known: "ovf")
    public static let maglevHash = Scheduler(known: "mh")
    public static let twoChoices = Scheduler(known: "twos")

    /// The schedulers of the Linux kernel (net/netfilter/ipvs/Kconfig, 6.18).
    public static let ofLinux: [Scheduler] = [
        roundRobin, weightedRoundRobin, leastConnections, weightedLeastConnections, localityLeastConnections,
        localityLeastConnectionsWithReplication, destinationHash, sourceHash, shortestExpectedDelay, neverQueue, failover, overflow,
        maglevHash, twoChoices,
    ]

    public var description: String { name }
}

// How schedulers use weights and the order of real servers (net/netfilter/ipvs/ip_vs_*.c of Linux 6.1 and 6.18).

extension Scheduler {
    /// The same scheduler with support for weights: rr and lc only check whether a weight is 0. With equal weights both make the same
    /// choices.
    public var weightedEquivalent: Scheduler {
        switch self {
        case .roundRobin: .weightedRoundRobin
        case .leastConnections: .weightedLeastConnections
        default: self
        }
    }

    /// Whether a real server of half the weight gets half the new connections.
    ///
    /// Of the others, some ignore weights (rr, lc, dh), some use the weight as a rank (fo, ovf), and some move clients to other servers
    /// whenever a weight changes (sh, mh).
    public var isWeighted: Bool {
        switch self {
        case .weightedRoundRobin, .weightedLeastConnections, .localityLeastConnections, .localityLeastConnectionsWithReplication,
            .shortestExpectedDelay, .neverQueue, .twoChoices:
            true
        default: false
        }
    }

    /// Whether nodes that added their real servers in the same order make the same choices.
    ///
    /// The others begin at the server that was added last, which should not be the same one on all nodes.
    public var dependsOnOrder: Bool {
        switch self {
        case .sourceHash, .maglevHash, .destinationHash, .failover, .overflow: true
        default: false
        }
    }
}
