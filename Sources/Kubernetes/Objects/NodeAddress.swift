/// An address of a Node (`Node.status.addresses[]`).
public struct NodeAddress: Hashable, Sendable, Decodable {
    /// `type`: `InternalIP`, `ExternalIP`, `Hostname`, …
    public var type: String
    /// `address`: an IP address or a name.
    public var address: String

    public init(type: String, address: String) {
        self.type = type
        self.address = address
    }
}
