/// The address and port of a virtual or real server.
public struct AddressPort: Hashable, Sendable, Comparable, CustomStringConvertible {
    public var address: IPAddress
    /// 1…65535; 0 means any port, which only persistent virtual servers of other software use.
    public var port: UInt16

    public init(_ address: IPAddress, _ port: UInt16) {
        self.address = address
        self.port = port
    }

    public func hash(into hasher: inout Hasher) { hash(with: 0, into: &hasher) }

    /// Hashes the location and a number of the key that contains it, in one step for IPv4: there are hundreds of thousands of lookups.
    func hash(with number: UInt8, into hasher: inout Hasher) {
        let numbers = UInt64(port) << 32 | UInt64(number) << 48
        if let bits = address.v4Bits {
            hasher.combine(UInt64(bits) | numbers)
        } else {
            hasher.combine(address)
            hasher.combine(numbers)
        }
    }

    /// `10.96.0.1:80` or `[fd00::1]:80`, as ipvsadm writes it.
    public var description: String {
        address.family == .ipv4 ? "\(address):\(port)" : "[\(address)]:\(port)"
    }

    public static func < (lhs: AddressPort, rhs: AddressPort) -> Bool {
        lhs.address == rhs.address ? lhs.port < rhs.port : lhs.address < rhs.address
    }
}
