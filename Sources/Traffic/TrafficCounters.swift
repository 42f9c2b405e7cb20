/// The traffic counters of a virtual server or a real server (`IPVS_STATS_ATTR_*`, `linux/ip_vs.h`).
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

    /// Returns the increase since an earlier reading; the full counters if the server was recreated or zeroed (`ipvsadm -Z`) since.
    func since(_ earlier: TrafficCounters) -> TrafficCounters {
        let hasNotRestarted =
            connections >= earlier.connections && inPackets >= earlier.inPackets && outPackets >= earlier.outPackets
            && inBytes >= earlier.inBytes && outBytes >= earlier.outBytes
        guard hasNotRestarted else { return self }
        return TrafficCounters(
            connections: connections - earlier.connections, inPackets: inPackets - earlier.inPackets,
            outPackets: outPackets - earlier.outPackets, inBytes: inBytes - earlier.inBytes, outBytes: outBytes - earlier.outBytes)
    }
}

/// Sums the counters of several sources for each subject, so that the total never decreases when a source is removed or restarts: a lower
/// counter is assumed to have restarted at 0, and its value to be new traffic.
///
/// An entry that is missing in one reading is kept until the next: dumps of IPVS continue by index, and skip an entry if another one is
/// deleted meanwhile.
struct TrafficTotals<Source: Hashable & Sendable, Subject: Hashable & Sendable>: Sendable {
    private struct Entry {
        var counters: TrafficCounters
        var isMissing = false
    }

    /// Only counters that are not 0, as most Services have no traffic on most nodes.
    private var last: [Source: Entry] = [:]
    private var totals: [Subject: Entry] = [:]

    struct Reading {
        var source: Source
        /// Nil if the source belongs to no subject at present.
        var subject: Subject?
        var counters: TrafficCounters
        /// Whether the counters of a source without an earlier reading are new traffic.
        var isNew: Bool
    }

    subscript(subject: Subject) -> TrafficCounters { totals[subject]?.counters ?? .zero }

    /// Adds a reading of all sources; further readings of the same source are ignored.
    mutating func add(_ readings: some Sequence<Reading>) {
        var (last, totals): ([Source: Entry], [Subject: Entry]) = ([:], [:])
        for reading in readings where last[reading.source] == nil {
            let before = self.last[reading.source]?.counters
            if reading.counters != .zero || before != nil { last[reading.source] = Entry(counters: reading.counters) }
            guard let subject = reading.subject else { continue }
            var total = totals[subject]?.counters ?? self[subject]
            if let before {
                total += reading.counters.since(before)
            } else if reading.isNew {
                total += reading.counters
            }
            if total != .zero { totals[subject] = Entry(counters: total) }
        }
        (self.last, self.totals) = (TrafficTotals.keeping(self.last, in: last), TrafficTotals.keeping(self.totals, in: totals))
    }

    private static func keeping<Key>(_ before: [Key: Entry], in now: [Key: Entry]) -> [Key: Entry] {
        var now = now
        for (key, entry) in before where now[key] == nil && !entry.isMissing {
            now[key] = Entry(counters: entry.counters, isMissing: true)
        }
        return now
    }
}
