public import ArgumentParser
public import KubeProxyConfiguration
public import Model

extension AddressPort: ExpressibleByArgument {
    /// `10.96.0.1:80` or `[fd00::1]:80`; port 0 if there is none.
    public init?(argument: String) {
        if let address = IPAddress(argument) {
            self.init(address, 0)
            return
        }
        guard let colon = argument.lastIndex(of: ":"), let port = UInt16(argument[argument.index(after: colon)...]) else { return nil }
        var host = argument[..<colon]
        let isBracketed = host.hasPrefix("[") && host.hasSuffix("]")
        if isBracketed { host = host.dropFirst().dropLast() }
        guard let address = IPAddress(host), isBracketed == (address.family == .ipv6) else { return nil }
        self.init(address, port)
    }
}

extension GoDuration: ExpressibleByArgument {
    public init?(argument: String) { self.init(argument) }
}
