internal import CNetlink
internal import Glibc
internal import Model
internal import Netlink

/// Requests to nfnetlink's subsystem ctnetlink (`linux/netfilter/nfnetlink_conntrack.h`, net/netfilter/nf_conntrack_netlink.c).
enum ConntrackMessages {
    /// Which flows a dump tells.
    enum Filter {
        /// Those of a transport protocol.
        case transport(Transport)
        /// Those whose first datagram went to this address and port; of IPv6, to this port of whatever address.
        case destination(Transport, AddressPort)
        /// All of the family.
        case none
    }

    static func type(_ command: cntl_msg_types) -> UInt16 { UInt16(NFNL_SUBSYS_CTNETLINK) << 8 | UInt16(command.rawValue) }

    private static func message(_ command: cntl_msg_types, _ family: UInt8, flags: Int32 = 0) throws(NetlinkError) -> NetlinkMessage {
        var message = try NetlinkMessage(type: type(command), flags: UInt16(flags))
        message.putHeader(nfgenmsg(nfgen_family: family, version: UInt8(NFNETLINK_V0), res_id: 0))
        return message
    }

    /// `conntrack -C`: how many flows there are. Loads the module.
    static func count() throws(NetlinkError) -> NetlinkMessage {
        try message(IPCTNL_MSG_CT_GET_STATS, UInt8(AF_UNSPEC), flags: NLM_F_ACK)
    }

    /// `conntrack -L -f ipv4 -p udp --orig-dst … --orig-port-dst …`: a dump that the kernel filters itself.
    ///
    /// Since Linux 5.8 (`ctnetlink_alloc_filter`); before it the kernel passes over the filter and tells every flow of the family.
    static func dump(_ family: IPFamily, _ filter: Filter) throws(NetlinkError) -> NetlinkMessage {
        var message = try message(IPCTNL_MSG_CT_GET, UInt8(family.number), flags: NLM_F_DUMP)
        switch filter {
        case .none: break
        case .transport(let transport):
            message.nest(Int(CTA_TUPLE_ORIG.rawValue)) { putProtocol(transport, nil, &$0) }
            putFlags(UInt32(CTA_FILTER_F_CTA_PROTO_NUM), &message)
        case .destination(let transport, let location):
            // Asked for an IPv6 address, kernels tell all flows but those to it (ctnetlink_filter_match_tuple takes ipv6_addr_cmp's 0 for "differs").
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

    /// Which parts of the tuple count.
    private static func putFlags(_ flags: UInt32, _ message: inout NetlinkMessage) {
        message.nest(Int(CTA_FILTER.rawValue)) { $0.put(Int(CTA_FILTER_ORIG_FLAGS.rawValue), u32: flags) }
    }

    /// `conntrack -D` of one flow, as the kernel told it; fails with ENOENT where it is gone, or another has its tuple.
    static func delete(_ flow: ConntrackFlow) throws(NetlinkError) -> NetlinkMessage {
        var message = try message(IPCTNL_MSG_CT_DELETE, UInt8(flow.family.number))
        // Without it the kernel would delete every flow.
        message.put(Int(CTA_TUPLE_ORIG.rawValue) | Int(NLA_F_NESTED), bytes: flow.tuple)
        if let zone = flow.zone { message.put(Int(CTA_ZONE.rawValue), networkU16: zone) }
        message.put(Int(CTA_ID.rawValue), bytes: flow.id)
        return message
    }
}

/// A flow that connection tracking remembers (`conntrack -L`).
struct ConntrackFlow: Hashable {
    var family: IPFamily
    var transport: Transport
    /// Where its first datagram went.
    var destination: AddressPort
    /// Who answers: a real server, or where it was not translated its destination itself.
    var answerer: AddressPort
    /// The tuple of the first datagram, as the kernel wrote it.
    var tuple: [UInt8]
    /// Nil is the zone that all are in who ask for none.
    var zone: UInt16?
    /// The kernel's own name for it, opaque: another flow of the same tuple has another.
    var id: [UInt8]

    /// Nil where the message is not a flow between ports of IP, or lacks something.
    init?(_ reply: NetlinkReply) {
        guard reply.header.type == ConntrackMessages.type(IPCTNL_MSG_CT_NEW),
            let family = reply.payload.first.flatMap({ IPFamily(number: UInt16($0)) })
        else { return nil }
        var original: ArraySlice<UInt8>?
        var answer: ConntrackTuple?
        var id: ArraySlice<UInt8>?
        // Behind the 4-byte nfgenmsg.
        for attribute in NetlinkAttributes(reply.payload.dropFirst(4)) {
            switch UInt32(attribute.type) {
            case CTA_TUPLE_ORIG.rawValue: original = attribute.payload
            case CTA_TUPLE_REPLY.rawValue: answer = ConntrackTuple(attribute.nested, family)
            case CTA_ZONE.rawValue: zone = attribute.networkU16
            case CTA_ID.rawValue: id = attribute.payload
            default: break
            }
        }
        guard let original, let first = ConntrackTuple(NetlinkAttributes(original), family), let answer, let id, id.count == 4,
            first.transport == answer.transport
        else { return nil }
        self.family = family
        transport = first.transport
        destination = first.destination
        answerer = answer.source
        // Copies: a slice would keep all of the datagram it came in.
        tuple = Array(original)
        self.id = Array(id)
    }
}

/// One direction of a flow (`enum ctattr_tuple`).
private struct ConntrackTuple {
    var transport: Transport
    var source: AddressPort
    var destination: AddressPort

    /// - Parameter family: an IPv4 address in an IPv6 flow is not the one of an IPv4 flow.
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
