/// A condition of a Pod (`Pod.status.conditions[]`).
public struct PodCondition: Hashable, Sendable, Decodable {
    /// `type`: `Ready`, `PodScheduled`, …
    public var type: String
    /// `status`: `True`, `False` or `Unknown`.
    public var status: String

    public init(type: String, status: String) {
        self.type = type
        self.status = status
    }
}
