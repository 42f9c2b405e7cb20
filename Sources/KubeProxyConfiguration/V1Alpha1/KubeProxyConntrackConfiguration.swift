/// Settings of the kernel's connection tracking (`conntrack`); durations of 0 leave what the kernel has.
public struct KubeProxyConntrackConfiguration: Hashable, Sendable {
    /// Connections for each processor; 0 leaves the limit alone, whatever `min` says.
    public var maxPerCore: Int32?
    /// The limit, at least.
    public var min: Int32?
    public var tcpEstablishedTimeout: GoDuration?
    public var tcpCloseWaitTimeout: GoDuration?
    public var tcpBeLiberal = false
    public var udpTimeout = GoDuration.zero
    public var udpStreamTimeout = GoDuration.zero

    public init() {}
}

extension KubeProxyConntrackConfiguration: FieldObject {
    mutating func visit(_ fields: inout some FieldVisitor) {
        fields.field("maxPerCore", &maxPerCore)
        fields.field("min", &min)
        fields.field("tcpEstablishedTimeout", &tcpEstablishedTimeout)
        fields.field("tcpCloseWaitTimeout", &tcpCloseWaitTimeout)
        fields.field("tcpBeLiberal", &tcpBeLiberal)
        fields.field("udpTimeout", &udpTimeout)
        fields.field("udpStreamTimeout", &udpStreamTimeout)
    }
}
