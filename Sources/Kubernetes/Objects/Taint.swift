/// A mark that keeps pods away from a Node (`Node.spec.taints[]`).
public struct Taint: Hashable, Sendable, Decodable {
    /// `key`
    public var key: String
    /// `effect`: `NoSchedule`, `PreferNoSchedule` or `NoExecute`.
    public var effect: String

    public init(key: String, effect: String) {
        self.key = key
        self.effect = effect
    }
}
