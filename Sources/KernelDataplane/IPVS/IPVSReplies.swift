internal import CNetlink
internal import Model
internal import Netlink

// Replies of the family `IPVS`. The kernel sends an address as a 16-byte union, with IPv4 in its first four bytes.

extension IPVSService {
    /// From an `IPVS_CMD_NEW_SERVICE` message, without real servers; nil if a mandatory attribute is missing.
    ///
    /// - Parameter withStatistics: whether to decode the counters, which are more than half of a message.
    init?(_ reply: NetlinkReply, withStatistics: Bool = true) {
        guard let attributes = reply.generic.first(where: { $0.type == UInt16(IPVS_CMD_ATTR_SERVICE) })?.nested else { return nil }
        var family: IPFamily?
        var number: UInt16?
        var mark: UInt32?
        var address: ArraySlice<UInt8>?
        var port: UInt16?
        self.init(key: .firewallMark(0, .ipv4), scheduler: "", flags: 0, timeout: 0, netmask: 0)
        var statistics64: IPVSStatistics?
        for attribute in attributes {
            switch Int(attribute.type) {
            case Int(IPVS_SVC_ATTR_AF): family = attribute.u16.flatMap(IPFamily.init(number:))
            case Int(IPVS_SVC_ATTR_PROTOCOL): number = attribute.u16
            case Int(IPVS_SVC_ATTR_ADDR): address = attribute.payload
            case Int(IPVS_SVC_ATTR_PORT): port = attribute.networkU16
            case Int(IPVS_SVC_ATTR_FWMARK): mark = attribute.u32
            case Int(IPVS_SVC_ATTR_SCHED_NAME): scheduler = attribute.string ?? ""
            case Int(IPVS_SVC_ATTR_FLAGS): flags = attribute.u32 ?? 0
            case Int(IPVS_SVC_ATTR_TIMEOUT): timeout = attribute.u32 ?? 0
            case Int(IPVS_SVC_ATTR_NETMASK): netmask = attribute.u32 ?? 0
            case Int(IPVS_SVC_ATTR_PE_NAME): persistenceEngine = attribute.string
            case Int(IPVS_SVC_ATTR_STATS) where withStatistics: statistics = IPVSStatistics(attribute.nested)
            case Int(IPVS_SVC_ATTR_STATS64) where withStatistics: statistics64 = IPVSStatistics(attribute.nested)
            default: break
            }
        }
        if let statistics64 { statistics = statistics64 }
        guard let family else { return nil }
        if family == .ipv4 { netmask = UInt32(bigEndian: netmask) }
        if let mark {
            key = .firewallMark(mark, family)
        } else {
            guard let number, let port, let address = address.flatMap({ IPAddress(union: $0, family) }) else {
                return nil
            }
            key = .address(protocolNumber: number, AddressPort(address, port))
        }
    }
}

extension IPVSDestination {
    /// From an `IPVS_CMD_NEW_DEST` message.
    ///
    /// - Parameters:
    ///   - serviceFamily: used for kernels before 3.18, which do not send the family.
    ///   - withStatistics: whether to decode the counters, which are more than half of a message.
    init?(_ reply: NetlinkReply, serviceFamily: IPFamily, withStatistics: Bool = true) {
        guard let attributes = reply.generic.first(where: { $0.type == UInt16(IPVS_CMD_ATTR_DEST) })?.nested else { return nil }
        var family = serviceFamily
        var address: ArraySlice<UInt8>?
        var port: UInt16?
        var connections = RealServer.Connections(active: 0, inactive: 0)
        self.init(location: AddressPort(IPAddress(v4: 0), 0), forwarding: 0, weight: 0)
        var statistics64: IPVSStatistics?
        for attribute in attributes {
            switch Int(attribute.type) {
            case Int(IPVS_DEST_ATTR_ADDR): address = attribute.payload
            case Int(IPVS_DEST_ATTR_PORT): port = attribute.networkU16
            case Int(IPVS_DEST_ATTR_ADDR_FAMILY): family = attribute.u16.flatMap(IPFamily.init(number:)) ?? serviceFamily
            case Int(IPVS_DEST_ATTR_FWD_METHOD): forwarding = (attribute.u32 ?? 0) & UInt32(IP_VS_CONN_F_FWD_MASK)
            case Int(IPVS_DEST_ATTR_WEIGHT): weight = attribute.u32 ?? 0
            case Int(IPVS_DEST_ATTR_U_THRESH): upperThreshold = attribute.u32 ?? 0
            case Int(IPVS_DEST_ATTR_L_THRESH): lowerThreshold = attribute.u32 ?? 0
            case Int(IPVS_DEST_ATTR_ACTIVE_CONNS): connections.active = attribute.u32 ?? 0
            case Int(IPVS_DEST_ATTR_INACT_CONNS): connections.inactive = attribute.u32 ?? 0
            case Int(IPVS_DEST_ATTR_PERSIST_CONNS): connections.persistent = attribute.u32 ?? 0
            case Int(IPVS_DEST_ATTR_TUN_TYPE): tunnel.kind = attribute.u8.flatMap(IPVSTunnelKind.init(rawValue:)) ?? .ipip
            case Int(IPVS_DEST_ATTR_TUN_PORT): tunnel.port = attribute.networkU16 ?? 0
            case Int(IPVS_DEST_ATTR_TUN_FLAGS): tunnel.flags = .init(rawValue: attribute.u16 ?? 0)
            case Int(IPVS_DEST_ATTR_STATS) where withStatistics: statistics = IPVSStatistics(attribute.nested)
            case Int(IPVS_DEST_ATTR_STATS64) where withStatistics: statistics64 = IPVSStatistics(attribute.nested)
            default: break
            }
        }
        if let statistics64 { statistics = statistics64 }
        self.connections = connections
        guard let port, let address = address.flatMap({ IPAddress(union: $0, family) }) else { return nil }
        location = AddressPort(address, port)
    }
}

extension IPVSStatistics {
    /// From `IPVS_SVC_ATTR_STATS` (32-bit counters but 64-bit bytes) or `…_STATS64`.
    init(_ attributes: NetlinkAttributes) {
        self.init()
        for attribute in attributes {
            let value = attribute.payload.count >= 8 ? attribute.u64 ?? 0 : UInt64(attribute.u32 ?? 0)
            switch Int(attribute.type) {
            case Int(IPVS_STATS_ATTR_CONNS): connections = value
            case Int(IPVS_STATS_ATTR_INPKTS): inPackets = value
            case Int(IPVS_STATS_ATTR_OUTPKTS): outPackets = value
            case Int(IPVS_STATS_ATTR_INBYTES): inBytes = value
            case Int(IPVS_STATS_ATTR_OUTBYTES): outBytes = value
            case Int(IPVS_STATS_ATTR_CPS): connectionRate = value
            case Int(IPVS_STATS_ATTR_INPPS): inPacketRate = value
            case Int(IPVS_STATS_ATTR_OUTPPS): outPacketRate = value
            case Int(IPVS_STATS_ATTR_INBPS): inByteRate = value
            case Int(IPVS_STATS_ATTR_OUTBPS): outByteRate = value
            default: break
            }
        }
    }
}

extension IPVSInfo {
    init?(_ reply: NetlinkReply) {
        self.init(version: 0, connectionTableSize: 0)
        for attribute in reply.generic {
            switch Int(attribute.type) {
            case Int(IPVS_INFO_ATTR_VERSION): version = attribute.u32 ?? 0
            case Int(IPVS_INFO_ATTR_CONN_TAB_SIZE): connectionTableSize = attribute.u32 ?? 0
            default: break
            }
        }
        guard version != 0 else { return nil }
    }
}

extension IPVSTimeouts {
    /// From an `IPVS_CMD_SET_CONFIG` message: in seconds.
    init(_ reply: NetlinkReply) {
        self.init()
        for attribute in reply.generic {
            let timeout = Duration.seconds(Int64(attribute.u32 ?? 0))
            switch Int(attribute.type) {
            case Int(IPVS_CMD_ATTR_TIMEOUT_TCP): tcp = timeout
            case Int(IPVS_CMD_ATTR_TIMEOUT_TCP_FIN): tcpFin = timeout
            case Int(IPVS_CMD_ATTR_TIMEOUT_UDP): udp = timeout
            default: break
            }
        }
    }
}

extension NetlinkReply {
    /// The attributes of a generic netlink message, after its 4-byte `genlmsghdr`.
    var generic: NetlinkAttributes { NetlinkAttributes(payload.dropFirst(4)) }
}

extension IPAddress {
    /// - Parameter bytes: of `union nf_inet_addr`, or of the address only; nil if they are too few.
    fileprivate init?(union bytes: ArraySlice<UInt8>, _ family: IPFamily) {
        guard bytes.count >= family.addressBytes else { return nil }
        self.init(bytes: bytes.prefix(family.addressBytes))
    }
}
