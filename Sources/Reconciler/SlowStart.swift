internal import Model

/// How the weight of a real server rises to its own after it came into service.
///
/// The state lives in the kernel: a weight below its own says that it rises, and how far it has come. The moment it began is only remembered so that rounding does not
/// add up.
struct SlowStart {
    let duration: Duration
    let now: Timestamp

    /// Nil where nobody has to start slowly: it is not asked for, or none of those in service is at its own weight, so that there is nobody to spare the others for.
    init?(of desired: VirtualServer, from observed: VirtualServer?, now: Timestamp) {
        guard let duration = desired.slowStart, duration > .zero, let observed else { return nil }
        let isServed = observed.realServers.values.contains { server in
            server.weight > 0 && desired.realServers[server.location].map { $0.weight > 0 && $0.weight <= server.weight } ?? false
        }
        guard isServed else { return nil }
        self.duration = duration
        self.now = now
    }

    /// The real server as it is to be now.
    ///
    /// - Parameter observed: as it is; nil where it is not there yet.
    func step(to wanted: RealServer, from observed: RealServer?) -> RealServer {
        let weight = observed?.weight ?? 0
        guard weight < wanted.weight else { return wanted }
        var server = wanted
        let since = weight == 0 ? now : observed?.warmingSince ?? begin(of: weight, to: wanted.weight)
        let share = since.duration(to: now) / duration
        guard share < 1 else { return wanted }
        // Never back: a weight that somebody raised meanwhile stays.
        server.weight = max(weight, 1, UInt32(Double(wanted.weight) * max(share, 0)))
        server.warmingSince = since
        return server
    }

    /// When a server that has come so far began.
    private func begin(of weight: UInt32, to full: UInt32) -> Timestamp {
        now.advanced(by: duration * (-Double(weight) / Double(full)))
    }
}
