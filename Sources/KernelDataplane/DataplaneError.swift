/// A layer of the kernel refused; the text says which request, for what, and the kernel's word.
public struct DataplaneError: Error, Hashable, Sendable, CustomStringConvertible {
    /// What was asked, such as `IPVS GET_DEST 10.96.0.10:53/UDP`.
    public var request: String
    public var reason: String

    public init(_ request: String, _ reason: some CustomStringConvertible) {
        self.request = request
        self.reason = reason.description
    }

    public var description: String { "\(request): \(reason)" }
}
