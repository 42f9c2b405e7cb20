internal import Model
internal import Text

/// How a client keeps its endpoint.
enum SchedulerFlags {
    /// Flags that a scheduler by hash needs.
    ///
    /// kube-proxy has mh hash the client's port too, which spreads one client's connections. Without the fall-back flag both refuse the share of new
    /// connections that hashes to a real server with weight 0, for as long as it drains (net/netfilter/ipvs/ip_vs_mh.c, ip_vs_sh.c).
    static func flags(of scheduler: Scheduler) -> VirtualServer.Flags {
        switch scheduler {
        case .maglevHash: [.hashFallback, .hashPort]
        case .sourceHash: [.hashFallback]
        default: []
        }
    }

    /// Flags by name, as ipvsadm writes them (`sh-port`, `flag-2`), with commas between; those that a scheduler needs come by themselves.
    static func flags(_ text: String, of scheduler: Scheduler) throws(AnnotationProblem) -> VirtualServer.Flags {
        let known = [VirtualServer.Flags.hashFallback, .hashPort, .schedulerFlag3]
        var flags = SchedulerFlags.flags(of: scheduler).intersection(.hashFallback)
        for word in text.split(separator: ",") {
            let name = word.trimmed
            // ipvsadm takes the numbered names for every scheduler.
            let found = known.first { $0.schedulerFlagNames(scheduler.name).contains(name) || $0.schedulerFlagNames("").contains(name) }
            guard let found else {
                let names = known.flatMap { $0.schedulerFlagNames(scheduler.name) }
                throw .init(
                    "\"\(InvalidAnnotation.shortened(name))\" is not a flag of scheduler \(scheduler), which has \(names.joined(separator: ", "))"
                )
            }
            flags.insert(found)
        }
        return flags
    }

    /// `24` or `24,64`: how many leading bits of a client's address count, for IPv4 and for IPv6.
    static func prefixes(_ text: String) throws(AnnotationProblem) -> [IPFamily: UInt8] {
        let numbers = text.split(separator: ",", omittingEmptySubsequences: false).map {
            AnnotationReader.decimal($0.trimmed)
        }
        guard (1...2).contains(numbers.count), let ipv4 = numbers[0], (1...32).contains(ipv4) else { throw prefixProblem }
        guard numbers.count == 2 else { return [.ipv4: UInt8(ipv4)] }
        guard let ipv6 = numbers[1], (1...128).contains(ipv6) else { throw prefixProblem }
        return [.ipv4: UInt8(ipv4), .ipv6: UInt8(ipv6)]
    }

    private static let prefixProblem = AnnotationProblem(
        "must be an IPv4 prefix length (1 to 32), optionally followed by a comma and an IPv6 prefix length (1 to 128)")
}
