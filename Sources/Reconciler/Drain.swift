public import Model

/// What becomes next of a real server that is no longer wanted.
///
/// The state lives in the kernel: weight 0 says that it drains, its connection counts say when it is done. Counts are only believed when they were read after the weight
/// was 0, so that no connection can have come in between.
enum Drain {
    /// Give it weight 0: it keeps its connections and gets no new ones.
    case begin(RealServer)
    /// It still has connections, or they have not been counted yet.
    case wait
    /// Delete it.
    case over

    init(_ server: RealServer, of transport: Transport, timeout: Duration, now: Timestamp) {
        // A datagram flow has no end that could be waited for, and the kernel does not move it off a server with weight 0; SCTP follows kube-proxy.
        guard transport == .tcp else {
            self = .over
            return
        }
        // One that had weight 0 while it was wanted has not begun either: its time counts from now.
        guard server.weight == 0, let since = server.drainingSince else {
            var drained = server
            drained.weight = 0
            drained.warmingSince = nil
            drained.connections = nil
            drained.drainingSince = now
            self = .begin(drained)
            return
        }
        self = server.connections?.isIdle == true || since.advanced(by: timeout) <= now ? .over : .wait
    }
}

extension VirtualServer {
    /// How long its real servers that are no longer wanted may keep their connections: as its own Service says, else as all others.
    public func drainTimeout(otherwise timeout: Duration) -> Duration { drainTimeout ?? timeout }
}
