internal import Model

/// Slow start: the weight of a real server that comes into service rises linearly to its desired weight over `duration`.
///
/// The state is kept in the kernel: a weight below the desired one means that it rises, and shows the progress. The start time is
/// remembered only so that rounding errors do not accumulate.
struct SlowStart {
    /// The time from the first reduced weight to the desired weight.
    let duration: Duration
    let now: Timestamp

    /// Returns nil if slow start does not apply: the Service does not specify it, or no real server is in service at its desired weight, so
    /// that reduced weights would not shift load to any other real server.
    init?(of desired: VirtualServer, from observed: VirtualServer?, now: Timestamp) {
        guard let duration = desired.slowStart, duration > .zero, let observed else { return nil }
        let isServed = observed.realServers.contains { server in
            server.weight > 0 && desired.realServers[server.location].map { $0.weight > 0 && $0.weight <= server.weight } ?? false
        }
        guard isServed else { return nil }
        self.duration = duration
        self.now = now
    }

    /// Returns the real server with the weight that it should have now.
    ///
    /// - Parameters:
    ///   - wanted: the real server with its desired weight.
    ///   - observed: the real server in the kernel; nil if it does not exist yet.
    func step(to wanted: RealServer, from observed: RealServer?) -> RealServer {
        let weight = observed?.weight ?? 0
        guard weight < wanted.weight else { return wanted }
        var server = wanted
        let since = weight == 0 ? now : observed?.slowStartSince ?? startTime(of: weight, to: wanted.weight)
        let share = since.duration(to: now) / duration
        guard share < 1 else { return wanted }
        // The weight never decreases, even if something else raised it.
        server.weight = max(weight, 1, UInt32(Double(wanted.weight) * max(share, 0)))
        server.slowStartSince = since
        return server
    }

    /// Returns the start time that corresponds to the weight reached so far.
    private func startTime(of weight: UInt32, to full: UInt32) -> Timestamp {
        now.advanced(by: duration * (-Double(weight) / Double(full)))
    }
}
