/// A server cannot listen where it should.
public struct ListenError: Error, Hashable, Sendable, CustomStringConvertible {
    public var address: ListenAddress
    /// The kernel's word.
    public var reason: String

    /// `listen on 0.0.0.0:30000: Address already in use`.
    public var description: String { "listen on \(address): \(reason)" }
}
