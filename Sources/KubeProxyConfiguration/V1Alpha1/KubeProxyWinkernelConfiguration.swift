/// The section `winkernel`, which means nothing on Linux.
public struct KubeProxyWinkernelConfiguration: Hashable, Sendable {
    public var networkName = ""
    public var sourceVip = ""
    public var enableDSR = false
    public var rootHnsEndpointName = ""
    public var forwardHealthCheckVip = false

    public init() {}
}

extension KubeProxyWinkernelConfiguration: FieldObject {
    mutating func visit(_ fields: inout some FieldVisitor) {
        fields.field("networkName", &networkName)
        fields.field("sourceVip", &sourceVip)
        fields.field("enableDSR", &enableDSR)
        fields.field("rootHnsEndpointName", &rootHnsEndpointName)
        fields.field("forwardHealthCheckVip", &forwardHealthCheckVip)
    }
}
