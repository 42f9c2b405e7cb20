/// How to reach the API server (`clientConnection`).
public struct ClientConnectionConfiguration: Hashable, Sendable {
    public var kubeconfig = ""
    public var acceptContentTypes = ""
    public var contentType = ""
    /// Requests a second in the long run; below 0 for no limit.
    public var qps: Float = 0
    /// Requests at once.
    public var burst: Int32 = 0

    public init() {}
}

extension ClientConnectionConfiguration: FieldObject {
    mutating func visit(_ fields: inout some FieldVisitor) {
        fields.field("kubeconfig", &kubeconfig)
        fields.field("acceptContentTypes", &acceptContentTypes)
        fields.field("contentType", &contentType)
        fields.field("qps", &qps)
        fields.field("burst", &burst)
    }
}
