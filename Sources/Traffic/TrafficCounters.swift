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
///
/// What is missing in one look is kept until the next: dumps of IPVS go by number, and where something is deleted meanwhile they pass another one over.
struct TrafficTotals<Source: Hashable & Sendable, Subject: Hashable & Sendable>: Sendable {
    private struct Kept {
        var counters: TrafficCounters
        var isMissing = false
    }

    /// Those that are not 0: most Services carry nothing on most nodes.
    private var last: [Source: Kept] = [:]
    private var totals: [Subject: Kept] = [:]

    struct Reading {
        var source: Source
        /// Nil where nobody wants to know for now.
        var subject: Subject?
        var counters: TrafficCounters
        /// Whether a source that was never seen has counted since somebody looked first.
        var isNew: Bool
    }

    subscript(subject: Subject) -> TrafficCounters { totals[subject]?.counters ?? .zero }

    /// Takes over what all sources count now, each once.
    mutating func take(_ readings: some Sequence<Reading>) {
        var (last, totals): ([Source: Kept], [Subject: Kept]) = ([:], [:])
        for reading in readings where last[reading.source] == nil {
            let before = self.last[reading.source]?.counters
            if reading.counters != .zero || before != nil { last[reading.source] = Kept(counters: reading.counters) }
            guard let subject = reading.subject else { continue }
            var total = totals[subject]?.counters ?? self[subject]
            if let before {
                total += reading.counters.since(before)
            } else if reading.isNew {
                total += reading.counters
            }
            if total != .zero { totals[subject] = Kept(counters: total) }
        }
        (self.last, self.totals) = (TrafficTotals.keeping(self.last, in: last), TrafficTotals.keeping(self.totals, in: totals))
    }

    private static func keeping<Key>(_ before: [Key: Kept], in now: [Key: Kept]) -> [Key: Kept] {
        var now = now
        for (key, kept) in before where now[key] == nil && !kept.isMissing {
            now[key] = Kept(counters: kept.counters, isMissing: true)
        }
        return now
    }
}
