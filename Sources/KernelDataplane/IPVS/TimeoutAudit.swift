internal import Model

/// Notices that others change the timeouts of IPVS while the program runs.
///
/// They are not put back: connections that live longer or shorter than wanted break no Service, and who calls `ipvsadm --set` means it.
struct TimeoutAudit {
    let wanted: IPVSTimeouts
    private var told: IPVSTimeouts?

    init(wanted: IPVSTimeouts) { self.wanted = wanted }

    /// What to tell of, once for each value: those that are in force and not wanted.
    mutating func look(at current: IPVSTimeouts) -> IPVSTimeouts? {
        let found = wanted.isWanting(of: current) ? current : nil
        defer { told = found }
        return found == told ? nil : found
    }
}
