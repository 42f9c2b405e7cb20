/// The section `ipvs`.
public struct KubeProxyIPVSConfiguration: Hashable, Sendable {
    public var syncPeriod = GoDuration.zero
    public var minSyncPeriod = GoDuration.zero
    /// Empty for rr.
    public var scheduler = ""
    public var excludeCIDRs: [String]?
    public var strictARP = false
    /// Of connections without traffic; 0 leaves what the kernel has.
    public var tcpTimeout = GoDuration.zero
    public var tcpFinTimeout = GoDuration.zero
    public var udpTimeout = GoDuration.zero

    public init() {}
}

extension KubeProxyIPVSConfiguration: FieldObject {
    mutating func visit(_ fields: inout some FieldVisitor) {
        fields.field("syncPeriod", &syncPeriod)
        fields.field("minSyncPeriod", &minSyncPeriod)
        fields.field("scheduler", &scheduler)
        fields.field("excludeCIDRs", &excludeCIDRs)
        fields.field("strictARP", &strictARP)
        fields.field("tcpTimeout", &tcpTimeout)
        fields.field("tcpFinTimeout", &tcpFinTimeout)
        fields.field("udpTimeout", &udpTimeout)
    }
}
