internal import CNetlink
internal import Model
internal import Netlink

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
