/// A transport protocol of Service ports.
///
/// The raw value is `Service.spec.ports[].protocol`.
public enum Transport: String, Hashable, Sendable, CaseIterable, Codable, Comparable {
    case tcp = "TCP"
    case udp = "UDP"
    case sctp = "SCTP"

    /// The IP protocol number: 6, 17 or 132 (IANA; `linux/in.h`).
    public var number: UInt8 {
        switch self {
        case .tcp: 6
        case .udp: 17
        case .sctp: 132
        }
    }

    public init?(number: UInt8) {
        guard let transport = Transport.allCases.first(where: { $0.number == number }) else { return nil }
        self = transport
    }

    /// The lowercase name that ipset and iptables use: `tcp`, `udp`, `sctp`.
    public var lowercaseName: String {
        switch self {
        case .tcp: "tcp"
        case .udp: "udp"
        case .sctp: "sctp"
        }
    }

    /// The ipvsadm flag for a virtual server of this protocol.
    public var ipvsadmFlag: String {
        switch self {
        case .tcp: "-t"
        case .udp: "-u"
        case .sctp: "--sctp-service"
        }
    }

    // Otherwise the raw value is hashed, a string in every virtual server.
    public func hash(into hasher: inout Hasher) { hasher.combine(number) }

    public static func < (lhs: Transport, rhs: Transport) -> Bool { lhs.number < rhs.number }
}
