/// The name of an IPVS scheduler: the kernel module `ip_vs_<name>`.
public struct Scheduler: Hashable, Sendable, CustomStringConvertible {
    public let name: String

    /// Nil where the kernel could not hold the name: 1…15 bytes (`IP_VS_SCHEDNAME_MAXLEN`, `linux/ip_vs.h`), letters, digits and `_-`.
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
    public static let maglevHash = Scheduler(known: "mh")
    public static let sourceHash = Scheduler(known: "sh")

    public var description: String { name }
}
