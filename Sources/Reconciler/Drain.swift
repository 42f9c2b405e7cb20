public import Model

/// The next step for a real server that is no longer desired.
///
/// The drain state is kept in the kernel: weight 0 means that the real server drains, and its connection counts show when it is idle. Only
/// counts that were read after the weight became 0 are used, because a new connection may have arrived before.
///
/// `PlanBuilder+RealServerWeights.swift` restores the weight of one that is desired again.
enum Drain {
    /// Set its weight to 0: it keeps its connections and receives no new ones. The associated value is the real server with weight 0.
    case start(RealServer)
    /// Wait: it still has connections, or they have not been counted yet.
    case inProgress
    /// Delete it: it is idle, its drain timeout has expired, or its transport is not TCP.
    case finished

    init(_ server: RealServer, of transport: Transport, timeout: Duration, now: Timestamp) {
        // A UDP flow has no end to wait for, and the kernel does not move it off a server with weight 0. SCTP is treated as in kube-proxy.
        guard transport == .tcp else {
            self = .finished
            return
        }
        // A server that had weight 0 while it was desired has not started to drain either: its timeout starts now.
        guard server.weight == 0, let since = server.drainingSince else {
            var drained = server
            drained.weight = 0
            drained.slowStartSince = nil
            drained.connections = nil
            drained.drainingSince = now
            self = .start(drained)
            return
        }
        self = server.connections?.isIdle == true || since.advanced(by: timeout) <= now ? .finished : .inProgress
    }
}

extension VirtualServer {
    /// Returns the longest time that its real servers may drain: the value of its own Service, or else `timeout`.
    public func drainTimeout(otherwise timeout: Duration) -> Duration { drainTimeout ?? timeout }
}
