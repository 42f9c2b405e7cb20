internal import Glibc
internal import Model

extension IPFamily {
    /// `AF_INET` or `AF_INET6`.
    var number: UInt16 { UInt16(self == .ipv4 ? AF_INET : AF_INET6) }

    init?(number: UInt16) {
        switch Int32(number) {
        case AF_INET: self = .ipv4
        case AF_INET6: self = .ipv6
        default: return nil
        }
    }
}
