/// How much of an answer is taken.
public struct WireLimits: Hashable, Sendable {
    /// Bytes of the body of a list.
    public var maximumBodyBytes: Int

    /// 512 MiB is some ten times what a list of 150,000 endpoints takes in JSON.
    public init(maximumBodyBytes: Int = 512 << 20) {
        self.maximumBodyBytes = maximumBodyBytes
    }
}
