/// The section `nftables`, which means nothing in ipvs mode.
public struct KubeProxyNFTablesConfiguration: Hashable, Sendable {
    public var masqueradeBit: Int32?
    public var masqueradeAll = false
    public var syncPeriod = GoDuration.zero
    public var minSyncPeriod = GoDuration.zero

    public init() {}
}

extension KubeProxyNFTablesConfiguration: FieldObject {
    mutating func visit(_ fields: inout some FieldVisitor) {
        fields.field("masqueradeBit", &masqueradeBit)
        fields.field("masqueradeAll", &masqueradeAll)
        fields.field("syncPeriod", &syncPeriod)
        fields.field("minSyncPeriod", &minSyncPeriod)
    }
}
