public import Model

/// A line of `/proc/net/ip_vs_conn`: a connection, or a template for the persistence of a client.
public struct IPVSConnection: Hashable, Sendable {
    /// `TCP`, `UDP`, `SCTP`; `IP` for a template of a firewall mark.
    public var protocolName: String
    public var client: AddressPort
    /// The virtual server; a template of a firewall mark has the mark instead of the address.
    public var virtualServer: AddressPort
    public var realServer: AddressPort
    /// Such as `ESTABLISHED`; `ASSURED` and `NONE` for templates.
    public var state: String
    public var secondsLeft: UInt32
    public var persistenceEngine: String?
    public var engineData: String

    /// Parses a line; nil for the heading and malformed lines.
    public init?(_ line: some StringProtocol) {
        let words = line.split(separator: " ", maxSplits: 10, omittingEmptySubsequences: true)
        guard words.count >= 9, let seconds = UInt32(words[8]), let client = AddressPort(hexAddress: words[1], port: words[2]),
            let virtualServer = AddressPort(hexAddress: words[3], port: words[4]),
            let realServer = AddressPort(hexAddress: words[5], port: words[6])
        else { return nil }
        protocolName = String(words[0])
        (self.client, self.virtualServer, self.realServer) = (client, virtualServer, realServer)
        state = String(words[7])
        secondsLeft = seconds
        persistenceEngine = words.count > 9 ? String(words[9]) : nil
        engineData = words.count > 10 ? String(words[10]) : ""
    }
}

extension AddressPort {
    /// Parses an address such as `0A600001` or `fd00:0000:…:0001`, and a port in base 16.
    fileprivate init?(hexAddress: some StringProtocol, port: some StringProtocol) {
        guard let port = UInt16(port, radix: 16) else { return nil }
        if hexAddress.utf8.contains(UInt8(ascii: ":")) {
            guard let address = IPAddress(String(hexAddress)) else { return nil }
            self.init(address, port)
        } else {
            guard hexAddress.utf8.count == 8, let bits = UInt32(hexAddress, radix: 16) else { return nil }
            self.init(IPAddress(v4: bits), port)
        }
    }
}

extension IPVSConnection {
    /// Returns the two heading lines of `ipvsadm -L -n -c`.
    ///
    /// - Parameter withEngines: Whether to include the data of persistence engines (`--persistent-conn`).
    public static func heading(withEngines: Bool) -> String {
        "IPVS connection entries\npro expire state       source             virtual            destination"
            + (withEngines ? "        pe name          pe_data\n" : "\n")
    }

    /// Returns the line of `ipvsadm -L -n -c`.
    public func text(withEngines: Bool) -> String {
        let (minutes, seconds) = (secondsLeft / 60, secondsLeft % 60)
        let expiry = "\(minutes < 10 ? "0" : "")\(minutes):\(seconds < 10 ? "0" : "")\(seconds)"
        let start =
            "\(protocolName.padded(3)) \(expiry.padded(6)) \(state.padded(11)) \("\(client)".padded(18)) \("\(virtualServer)".padded(18)) "
        guard withEngines, let persistenceEngine else { return "\(start)\(realServer)\n" }
        return "\(start)\("\(realServer)".padded(18)) \(persistenceEngine.padded(16)) \(engineData)\n"
    }
}
