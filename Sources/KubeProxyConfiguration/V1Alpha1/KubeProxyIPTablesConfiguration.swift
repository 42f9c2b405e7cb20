/// Of the section `iptables`, `masqueradeBit` and `masqueradeAll` count in ipvs mode too.
public struct KubeProxyIPTablesConfiguration: Hashable, Sendable {
    /// 0…31.
    public var masqueradeBit: Int32?
    public var masqueradeAll = false
    public var localhostNodePorts: Bool?
    public var syncPeriod = GoDuration.zero
    public var minSyncPeriod = GoDuration.zero

    public init() {}
}

extension KubeProxyIPTablesConfiguration: FieldObject {
    mutating func visit(_ fields: inout some FieldVisitor) {
        fields.field("masqueradeBit", &masqueradeBit)
        fields.field("masqueradeAll", &masqueradeAll)
        fields.field("localhostNodePorts", &localhostNodePorts)
        fields.field("syncPeriod", &syncPeriod)
        fields.field("minSyncPeriod", &minSyncPeriod)
    }
}
