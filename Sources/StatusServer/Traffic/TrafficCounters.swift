/// What went through a virtual server or a real server (`IPVS_STATS_ATTR_*`, `linux/ip_vs.h`).
public struct TrafficCounters: Hashable, Sendable {
    public var connections: UInt64
    public var inPackets: UInt64
    public var outPackets: UInt64
    public var inBytes: UInt64
    public var outBytes: UInt64

    public static let zero = TrafficCounters()

    public init(connections: UInt64 = 0, inPackets: UInt64 = 0, outPackets: UInt64 = 0, inBytes: UInt64 = 0, outBytes: UInt64 = 0) {
        self.connections = connections
        self.inPackets = inPackets
        self.outPackets = outPackets
        self.inBytes = inBytes
        self.outBytes = outBytes
    }

    var packets: UInt64 { inPackets &+ outPackets }

    static func += (lhs: inout TrafficCounters, rhs: TrafficCounters) {
        lhs.connections &+= rhs.connections
        lhs.inPackets &+= rhs.inPackets
        lhs.outPackets &+= rhs.outPackets
        lhs.inBytes &+= rhs.inBytes
        lhs.outBytes &+= rhs.outBytes
    }

    /// By how much they rose since an earlier look; all of them where they begin anew: made again, or zeroed (`ipvsadm -Z`).
    func since(_ earlier: TrafficCounters) -> TrafficCounters {
        let goesOn =
            connections >= earlier.connections && inPackets >= earlier.inPackets && outPackets >= earlier.outPackets
            && inBytes >= earlier.inBytes && outBytes >= earlier.outBytes
        guard goesOn else { return self }
        return TrafficCounters(
            connections: connections - earlier.connections, inPackets: inPackets - earlier.inPackets,
            outPackets: outPackets - earlier.outPackets, inBytes: inBytes - earlier.inBytes, outBytes: outBytes - earlier.outBytes)
    }
}

/// Adds up for each subject what several sources count, so that the sum never falls where a source goes or begins anew: a counter that falls is taken for one
/// that began at 0, and all that is left of it for new traffic.
struct TrafficTotals<Source: Hashable & Sendable, Subject: Hashable & Sendable>: Sendable {
    /// Those that are not 0: most Services carry nothing on most nodes.
    private var last: [Source: TrafficCounters] = [:]
    private var totals: [Subject: TrafficCounters] = [:]

    struct Reading {
        var source: Source
        var subject: Subject
        var counters: TrafficCounters
    }

    subscript(subject: Subject) -> TrafficCounters { totals[subject] ?? .zero }

    /// Takes over what all sources there are count now; what is not among them is forgotten.
    mutating func take(_ readings: some Sequence<Reading>) {
        var (last, totals): ([Source: TrafficCounters], [Subject: TrafficCounters]) = ([:], [:])
        for reading in readings {
            var total = totals[reading.subject] ?? self[reading.subject]
            if reading.counters != .zero {
                total += reading.counters.since(self.last[reading.source] ?? .zero)
                last[reading.source] = reading.counters
            }
            if total != .zero { totals[reading.subject] = total }
        }
        (self.last, self.totals) = (last, totals)
    }
}
