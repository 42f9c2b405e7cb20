internal import CNetlink
internal import Model
internal import Netlink

/// Requests to rtnetlink: the local routes to service addresses (`linux/rtnetlink.h`).
enum RouteMessages {
    /// `ip route replace local ADDRESS/32 dev INDEX table local proto 118 metric 118 src SOURCE`, with `scope host` for IPv4, as the
    /// kernel's own local routes have: so they may be over a device that is down.
    ///
    /// Replaces only a route with the same metric. Fails with EINVAL if the node does not have the address SOURCE.
    static func replace(_ address: IPAddress, _ route: LocalRoute, interface: UInt32) throws(NetlinkError) -> NetlinkMessage {
        var message = try routeMessage(RTM_NEWROUTE, flags: NLM_F_CREATE | NLM_F_REPLACE, address, interface)
        if let source = route.source { message.put(Int(RTA_PREFSRC.rawValue), bytes: source.bytes) }
        return message
    }

    /// `ip route delete local ADDRESS/32 dev INDEX table local proto 118 metric 118`; fails with ESRCH if it does not exist.
    static func delete(_ address: IPAddress, interface: UInt32) throws(NetlinkError) -> NetlinkMessage {
        try routeMessage(RTM_DELROUTE, flags: 0, address, interface)
    }

    private static func routeMessage(_ type: Int, flags: Int32, _ address: IPAddress, _ interface: UInt32) throws(NetlinkError)
        -> NetlinkMessage
    {
        var message = try NetlinkMessage(type: UInt16(type), flags: UInt16(flags), capacity: 128)
        let scope = address.family == .ipv4 ? RT_SCOPE_HOST : RT_SCOPE_UNIVERSE
        message.putHeader(header(address.family, prefixLength: UInt8(address.family.addressBits), scope: UInt8(scope.rawValue)))
        message.put(Int(RTA_DST.rawValue), bytes: address.bytes)
        message.put(Int(RTA_OIF.rawValue), u32: interface)
        message.put(Int(RTA_PRIORITY.rawValue), u32: LocalRoute.metric)
        return message
    }

    /// Who added a local route.
    enum Owner {
        case proxy, kernel

        /// `rtm_protocol`
        var routingProtocol: UInt8 { self == .proxy ? LocalRoute.routingProtocol : UInt8(RTPROT_KERNEL) }
    }

    /// `ip route show table local proto PROTOCOL dev INDEX`
    ///
    /// - Parameter interface: nil for all interfaces. A kernel that filters dumps then still filters by table, type and protocol.
    static func dump(_ family: IPFamily, of owner: Owner, over interface: UInt32?) throws(NetlinkError) -> NetlinkMessage {
        var message = try NetlinkMessage(type: UInt16(RTM_GETROUTE), flags: UInt16(NLM_F_DUMP))
        message.putHeader(header(family, prefixLength: 0, scope: 0, owner))
        if let interface { message.put(Int(RTA_OIF.rawValue), u32: interface) }
        return message
    }

    private static func header(_ family: IPFamily, prefixLength: UInt8, scope: UInt8, _ owner: Owner = .proxy) -> rtmsg {
        rtmsg(
            rtm_family: UInt8(family.number), rtm_dst_len: prefixLength, rtm_src_len: 0, rtm_tos: 0,
            rtm_table: UInt8(RT_TABLE_LOCAL.rawValue),
            rtm_protocol: owner.routingProtocol, rtm_scope: scope, rtm_type: UInt8(RTN_LOCAL), rtm_flags: 0)
    }
}

/// A route in the table `local`, from an `RTM_NEWROUTE` message.
struct InterfaceRoute: Hashable {
    var interface: UInt32
    var destination: IPAddress
    var source: IPAddress?

    /// Nil for a route of another owner.
    init?(_ reply: NetlinkReply, of owner: RouteMessages.Owner) {
        let header = Array(reply.payload.prefix(MemoryLayout<rtmsg>.size))
        guard header.count == MemoryLayout<rtmsg>.size, let family = IPFamily(number: UInt16(header[0])),
            Int(header[1]) == family.addressBits, header[4] == UInt8(RT_TABLE_LOCAL.rawValue),
            header[5] == owner.routingProtocol, header[7] == UInt8(RTN_LOCAL)
        else { return nil }
        var (interface, destination, metric): (UInt32?, IPAddress?, UInt32?) = (nil, nil, nil)
        for attribute in NetlinkAttributes(reply.payload.dropFirst(header.count)) {
            switch UInt32(attribute.type) {
            case UInt32(RTA_DST.rawValue): destination = IPAddress(bytes: attribute.payload)
            case UInt32(RTA_OIF.rawValue): interface = attribute.u32
            case UInt32(RTA_PREFSRC.rawValue): source = IPAddress(bytes: attribute.payload)
            case UInt32(RTA_PRIORITY.rawValue): metric = attribute.u32
            default: break
            }
        }
        guard let interface, let destination, destination.family == family, owner == .kernel || metric == LocalRoute.metric else {
            return nil
        }
        self.interface = interface
        self.destination = destination
    }
}
