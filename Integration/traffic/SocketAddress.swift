import Glibc

enum Transport: String {
    case tcp, udp, sctp
}

/// An IPv4 or IPv6 address with a port, in the form of system calls.
struct SocketAddress {
    private var storage = sockaddr_storage()
    private var length = socklen_t(MemoryLayout<sockaddr_storage>.size)

    var family: Int32 { Int32(storage.ss_family) }

    /// Returns the wildcard address, which is all zeros. A socket bound to that of IPv6 also accepts IPv4 by default.
    static func any(family: Int32) -> SocketAddress {
        var v4 = sockaddr_in()
        var v6 = sockaddr_in6()
        v4.sin_family = sa_family_t(AF_INET)
        v6.sin6_family = sa_family_t(AF_INET6)
        return family == AF_INET ? SocketAddress(v4) : SocketAddress(v6)
    }

    init?(host: String, port: UInt16) {
        var v4 = sockaddr_in()
        var v6 = sockaddr_in6()
        if inet_pton(AF_INET, host, &v4.sin_addr) == 1 {
            v4.sin_family = sa_family_t(AF_INET)
            self = SocketAddress(v4).with(port: port)
        } else if inet_pton(AF_INET6, host, &v6.sin6_addr) == 1 {
            v6.sin6_family = sa_family_t(AF_INET6)
            self = SocketAddress(v6).with(port: port)
        } else {
            return nil
        }
    }

    /// Creates the address of a Unix socket; nil if the path is too long.
    init?(path: String) {
        var name = sockaddr_un()
        guard path.utf8.count < MemoryLayout.size(ofValue: name.sun_path) else { return nil }
        name.sun_family = sa_family_t(AF_UNIX)
        withUnsafeMutableBytes(of: &name.sun_path) { $0.copyBytes(from: path.utf8) }
        self = SocketAddress(name)
    }

    /// Returns the address with this port, which is at the same offset in both families.
    func with(port: UInt16) -> SocketAddress {
        var address = self
        withUnsafeMutableBytes(of: &address.storage) { bytes in
            bytes.storeBytes(of: port.bigEndian, toByteOffset: MemoryLayout<sa_family_t>.size, as: UInt16.self)
        }
        return address
    }

    /// Parses `10.96.0.10:80` and `[fd00:96::10]:80`.
    init?(hostAndPort text: String) {
        guard let colon = text.lastIndex(of: ":"),
            let port = UInt16(text[text.index(after: colon)...])
        else { return nil }
        var host = text[..<colon]
        if host.hasPrefix("["), host.hasSuffix("]") {
            host = host.dropFirst().dropLast()
        } else if host.contains(":") {
            return nil
        }
        self.init(host: String(host), port: port)
    }

    /// Runs a system call that fills in an address.
    static func filled<Result>(
        by body: (UnsafeMutablePointer<sockaddr>, UnsafeMutablePointer<socklen_t>) -> Result
    ) -> (result: Result, address: SocketAddress) {
        var address = SocketAddress()
        let result = withUnsafeMutablePointer(to: &address.storage) { storage in
            storage.withMemoryRebound(to: sockaddr.self, capacity: 1) { body($0, &address.length) }
        }
        return (result, address)
    }

    private init() {}

    private init<Address>(_ address: Address) {
        withUnsafeMutableBytes(of: &storage) { $0.storeBytes(of: address, as: Address.self) }
        length = socklen_t(MemoryLayout<Address>.size)
    }

    func withPointer<Result>(_ body: (UnsafePointer<sockaddr>, socklen_t) -> Result) -> Result {
        withUnsafePointer(to: storage) { storage in
            storage.withMemoryRebound(to: sockaddr.self, capacity: 1) { body($0, length) }
        }
    }

    /// The address without the port; an IPv4-mapped address is written as IPv4.
    var host: String {
        let written = withUnsafeBytes(of: storage) { bytes in
            if family == AF_INET {
                text(bytes.load(as: sockaddr_in.self).sin_addr, maximum: INET_ADDRSTRLEN)
            } else {
                text(bytes.load(as: sockaddr_in6.self).sin6_addr, maximum: INET6_ADDRSTRLEN)
            }
        }
        let mapped = "::ffff:"
        return written.hasPrefix(mapped) && written.contains(".") ? String(written.dropFirst(mapped.count)) : written
    }

    private func text<Address>(_ address: Address, maximum: Int32) -> String {
        let characters = withUnsafePointer(to: address) { address in
            [UInt8](unsafeUninitializedCapacity: Int(maximum)) { buffer, count in
                buffer.withMemoryRebound(to: CChar.self) { buffer in
                    guard let start = buffer.baseAddress else { return }
                    if inet_ntop(family, address, start, socklen_t(maximum)) != nil { count = strlen(start) }
                }
            }
        }
        return String(decoding: characters, as: UTF8.self)
    }
}
