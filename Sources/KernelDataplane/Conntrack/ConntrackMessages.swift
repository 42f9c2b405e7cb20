internal import CNetlink
internal import Glibc
internal import Model
internal import Netlink

/// Requests to nfnetlink's subsystem ctnetlink (`linux/netfilter/nfnetlink_conntrack.h`, net/netfilter/nf_conntrack_netlink.c).
enum ConntrackMessages {
    /// The entries that a dump returns.
    enum Filter {
        /// The entries of a transport protocol.
        case transport(Transport)
        /// The entries with this original destination; for IPv6, with this destination port and any address.
        case destination(Transport, AddressPort)
        /// All entries of the family.
        case none
    }

    static func type(_ command: cntl_msg_types) -> UInt16 { UInt16(NFNL_SUBSYS_CTNETLINK) << 8 | UInt16(command.rawValue) }

    private static func message(_ command: cntl_msg_types, _ family: UInt8, flags: Int32 = 0) throws(NetlinkError) -> NetlinkMessage {
        var message = try NetlinkMessage(type: type(command), flags: UInt16(flags))
        message.putHeader(nfgenmsg(nfgen_family: family, version: UInt8(NFNETLINK_V0), res_id: 0))
        return message
    }

    /// `conntrack -C`: the number of entries. Loads the module.
    static func count() throws(NetlinkError) -> NetlinkMessage {
        try message(IPCTNL_MSG_CT_GET_STATS, UInt8(AF_UNSPEC), flags: NLM_F_ACK)
    }

    /// `conntrack -L -f ipv4 -p udp --orig-dst … --orig-port-dst …`: a dump filtered by the kernel.
    ///
    /// Since Linux 5.8 (`ctnetlink_alloc_filter`); older kernels ignore the filter and return all entries of the family.
    static func dump(_ family: IPFamily, _ filter: Filter) throws(NetlinkError) -> NetlinkMessage {
        var message = try message(IPCTNL_MSG_CT_GET, UInt8(family.number), flags: NLM_F_DUMP)
        switch filter {
        case .none: break
        case .transport(let transport):
            message.nest(Int(CTA_TUPLE_ORIG.rawValue)) { putProtocol(transport, nil, &$0) }
            putFlags(UInt32(CTA_FILTER_F_CTA_PROTO_NUM), &message)
        case .destination(let transport, let location):
            // For an IPv6 address, kernels return all entries except those to it (ctnetlink_filter_match_tuple misreads the result 0 of
            // ipv6_addr_cmp).
            let comparesAddress = family == .ipv4
            message.nest(Int(CTA_TUPLE_ORIG.rawValue)) { message in
                if comparesAddress {
                    message.nest(Int(CTA_TUPLE_IP.rawValue)) { $0.put(Int(CTA_IP_V4_DST.rawValue), bytes: location.address.bytes) }
                }
                putProtocol(transport, location.port, &message)
            }
            let flags = CTA_FILTER_F_CTA_PROTO_NUM | CTA_FILTER_F_CTA_PROTO_DST_PORT | (comparesAddress ? CTA_FILTER_F_CTA_IP_DST : 0)
            putFlags(UInt32(flags), &message)
        }
        return message
    }

    private static func putProtocol(_ transport: Transport, _ port: UInt16?, _ message: inout NetlinkMessage) {
        message.nest(Int(CTA_TUPLE_PROTO.rawValue)) { message in
            message.put(Int(CTA_PROTO_NUM.rawValue), u8: transport.number)
            if let port { message.put(Int(CTA_PROTO_DST_PORT.rawValue), networkU16: port) }
        }
    }

    /// The parts of the tuple that the filter compares.
    private static func putFlags(_ flags: UInt32, _ message: inout NetlinkMessage) {
        message.nest(Int(CTA_FILTER.rawValue)) { $0.put(Int(CTA_FILTER_ORIG_FLAGS.rawValue), u32: flags) }
    }

    /// `conntrack -D` of one entry; fails with ENOENT if it does not exist, or another entry has its tuple.
    static func delete(_ flow: ConntrackFlow) throws(NetlinkError) -> NetlinkMessage {
        var message = try message(IPCTNL_MSG_CT_DELETE, UInt8(flow.family.number))
        // Without the tuple, the kernel would delete all entries.
        message.put(Int(CTA_TUPLE_ORIG.rawValue) | Int(NLA_F_NESTED), bytes: flow.tuple)
        if let zone = flow.zone { message.put(Int(CTA_ZONE.rawValue), networkU16: zone) }
        message.put(Int(CTA_ID.rawValue), bytes: flow.id)
        return message
    }
}

/// A conntrack entry (`conntrack -L`).
struct ConntrackFlow: Hashable {
    var family: IPFamily
    var transport: Transport
    /// The destination of the original direction.
    var destination: AddressPort
    /// The source of replies: a real server, or the destination itself if there is no NAT.
    var replySource: AddressPort
    /// The tuple of the original direction, as encoded by the kernel.
    var tuple: [UInt8]
    /// Nil for the default zone.
    var zone: UInt16?
    /// The kernel's opaque ID, which differs between entries with the same tuple.
    var id: [UInt8]

    /// Nil if the message is not an entry of a protocol with ports, or lacks an attribute.
    init?(_ reply: NetlinkReply) {
        guard reply.header.type == ConntrackMessages.type(IPCTNL_MSG_CT_NEW),
            let family = reply.payload.first.flatMap({ IPFamily(number: UInt16($0)) })
        else { return nil }
        var original: ArraySlice<UInt8>?
        var reversed: ConntrackTuple?
        var id: ArraySlice<UInt8>?
        // After the 4-byte nfgenmsg.
        for attribute in NetlinkAttributes(reply.payload.dropFirst(4)) {
            switch UInt32(attribute.type) {
            case CTA_TUPLE_ORIG.rawValue: original = attribute.payload
            case CTA_TUPLE_REPLY.rawValue: reversed = ConntrackTuple(attribute.nested, family)
            case CTA_ZONE.rawValue: zone = attribute.networkU16
            case CTA_ID.rawValue: id = attribute.payload
            default: break
            }
        }
        guard let original, let first = ConntrackTuple(NetlinkAttributes(original), family), let reversed, let id, id.count == 4,
            first.transport == reversed.transport
        else { return nil }
        self.family = family
        transport = first.transport
        destination = first.destination
        replySource = reversed.source
        // Copies: a slice would keep its complete datagram in memory.
        tuple = Array(original)
        self.id = Array(id)
    }
}

/// One direction of an entry (`enum ctattr_tuple`).
private struct ConntrackTuple {
    var transport: Transport
    var source: AddressPort
    var destination: AddressPort

    /// - Parameter family: the family of the entry; nil is returned if an address has another one.
    init?(_ attributes: NetlinkAttributes, _ family: IPFamily) {
        var addresses: (source: IPAddress?, destination: IPAddress?)
        var ports: (source: UInt16?, destination: UInt16?)
        var transport: Transport?
        for attribute in attributes {
            switch UInt32(attribute.type) {
            case CTA_TUPLE_IP.rawValue:
                for part in attribute.nested {
                    switch UInt32(part.type) {
                    case CTA_IP_V4_SRC.rawValue, CTA_IP_V6_SRC.rawValue: addresses.source = IPAddress(bytes: part.payload)
                    case CTA_IP_V4_DST.rawValue, CTA_IP_V6_DST.rawValue: addresses.destination = IPAddress(bytes: part.payload)
                    default: break
                    }
                }
            case CTA_TUPLE_PROTO.rawValue:
                for part in attribute.nested {
                    switch UInt32(part.type) {
                    case CTA_PROTO_NUM.rawValue: transport = part.u8.flatMap(Transport.init(number:))
                    case CTA_PROTO_SRC_PORT.rawValue: ports.source = part.networkU16
                    case CTA_PROTO_DST_PORT.rawValue: ports.destination = part.networkU16
                    default: break
                    }
                }
            default: break
            }
        }
        guard let transport, let source = addresses.source, let destination = addresses.destination, source.family == family,
            destination.family == family, let sourcePort = ports.source, let destinationPort = ports.destination
        else { return nil }
        self.transport = transport
        self.source = AddressPort(source, sourcePort)
        self.destination = AddressPort(destination, destinationPort)
    }
}
