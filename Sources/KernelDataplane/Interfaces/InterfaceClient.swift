internal import CNetlink
internal import Model
internal import Netlink
internal import SystemPackage

/// Interfaces and their addresses, through rtnetlink.
struct InterfaceClient: ~Copyable {
    let socket: NetlinkSocket

    init() throws(DataplaneError) {
        do {
            socket = try NetlinkSocket.open(.route)
        } catch {
            throw DataplaneError("rtnetlink", error)
        }
    }

    /// The interface index of the dummy device; nil if it does not exist.
    ///
    /// Fails if the interface of this name has another kind: it must not be touched.
    borrowing func device() throws(DataplaneError) -> UInt32? {
        do throws(NetlinkError) {
            // swift-system's name of ENODEV is operationNotSupportedByDevice.
            guard let link = try socket.request(try InterfaceMessages.getLink(NodeState.deviceName)).lazy.compactMap({ Link($0) }).first
            else {
                throw NetlinkError(.malformed)
            }
            guard link.kind == "dummy" else {
                throw NetlinkError(.malformed, detail: "of kind \(link.kind ?? "none"), not dummy: remove or rename the interface")
            }
            return link.index
        } catch  where error.code == .kernel(.operationNotSupportedByDevice) {
            return nil
        } catch {
            throw DataplaneError("interface \(NodeState.deviceName)", error)
        }
    }

    /// All addresses of this network namespace: those on the interface, and those on other interfaces.
    ///
    /// The former exclude link-local IPv6 addresses, which the kernel assigns by itself.
    borrowing func addresses(on interface: UInt32?) throws(DataplaneError) -> (on: Set<IPAddress>, elsewhere: Set<IPAddress>) {
        let replies: [NetlinkReply]
        do {
            replies = try socket.request(try InterfaceMessages.dumpAddresses())
        } catch {
            throw DataplaneError("RTM_GETADDR", error)
        }
        var (on, elsewhere): (Set<IPAddress>, Set<IPAddress>) = ([], [])
        for found in replies.lazy.compactMap({ InterfaceAddress($0) }) {
            if found.interface != interface {
                elsewhere.insert(found.address)
            } else if !(found.address.family == .ipv6 && found.address.isLinkLocal) {
                on.insert(found.address)
            }
        }
        return (on, elsewhere)
    }
}

/// Requests to rtnetlink: the dummy device and its addresses (`linux/rtnetlink.h`, `linux/if_link.h`, `linux/if_addr.h`).
enum InterfaceMessages {
    /// `ip link show NAME`; fails with ENODEV if it does not exist.
    static func getLink(_ name: String) throws(NetlinkError) -> NetlinkMessage {
        var message = try NetlinkMessage(type: UInt16(RTM_GETLINK), flags: UInt16(NLM_F_ACK))
        message.putHeader(ifinfomsg())
        message.put(Int(IFLA_IFNAME), string: name)
        return message
    }

    /// `ip link add NAME txqueuelen 0 type dummy`; fails with EEXIST if the name is in use.
    static func newDummy(_ name: String) throws(NetlinkError) -> NetlinkMessage {
        var message = try NetlinkMessage(type: UInt16(RTM_NEWLINK), flags: UInt16(NLM_F_CREATE | NLM_F_EXCL))
        message.putHeader(ifinfomsg())
        message.put(Int(IFLA_IFNAME), string: name)
        message.put(Int(IFLA_TXQLEN), u32: 0)
        message.nest(Int(IFLA_LINKINFO)) { $0.put(Int(IFLA_INFO_KIND), string: "dummy") }
        return message
    }

    /// `ip link delete NAME`; fails with ENODEV if it does not exist.
    static func deleteLink(_ name: String) throws(NetlinkError) -> NetlinkMessage {
        var message = try NetlinkMessage(type: UInt16(RTM_DELLINK))
        message.putHeader(ifinfomsg())
        message.put(Int(IFLA_IFNAME), string: name)
        return message
    }

    /// `ip address add ADDRESS/32 dev INDEX`; fails with EEXIST if it exists.
    static func newAddress(_ address: IPAddress, interface: UInt32) throws(NetlinkError) -> NetlinkMessage {
        try addressMessage(RTM_NEWADDR, flags: NLM_F_CREATE | NLM_F_EXCL, address, interface)
    }

    /// `ip address delete ADDRESS/32 dev INDEX`; fails with EADDRNOTAVAIL if it does not exist.
    static func deleteAddress(_ address: IPAddress, interface: UInt32) throws(NetlinkError) -> NetlinkMessage {
        try addressMessage(RTM_DELADDR, flags: 0, address, interface)
    }

    private static func addressMessage(_ type: Int, flags: Int32, _ address: IPAddress, _ interface: UInt32) throws(NetlinkError)
        -> NetlinkMessage
    {
        var message = try NetlinkMessage(type: UInt16(type), flags: UInt16(flags), capacity: 128)
        message.putHeader(
            ifaddrmsg(
                ifa_family: UInt8(address.family.number), ifa_prefixlen: UInt8(address.family.addressBits), ifa_flags: 0,
                ifa_scope: UInt8(RT_SCOPE_UNIVERSE.rawValue), ifa_index: interface))
        message.put(Int(IFA_LOCAL), bytes: address.bytes)
        message.put(Int(IFA_ADDRESS), bytes: address.bytes)
        return message
    }

    /// `ip address show`, for all interfaces.
    static func dumpAddresses() throws(NetlinkError) -> NetlinkMessage {
        var message = try NetlinkMessage(type: UInt16(RTM_GETADDR), flags: UInt16(NLM_F_DUMP))
        message.putHeader(ifaddrmsg())
        return message
    }
}

/// An interface, from an `RTM_NEWLINK` message.
struct Link: Hashable {
    var index: UInt32
    /// Such as `dummy` or `bridge`; nil for devices without a kind.
    var kind: String?

    init?(_ reply: NetlinkReply) {
        guard let index: UInt32 = hostOrder(reply.payload.dropFirst(4)) else { return nil }
        self.index = index
        for attribute in NetlinkAttributes(reply.payload.dropFirst(MemoryLayout<ifinfomsg>.size))
        where attribute.type == UInt16(IFLA_LINKINFO) {
            kind = attribute.nested.first { $0.type == UInt16(IFLA_INFO_KIND) }?.string
        }
    }
}

/// An address of an interface, from an `RTM_NEWADDR` message.
struct InterfaceAddress: Hashable {
    var interface: UInt32
    var address: IPAddress

    init?(_ reply: NetlinkReply) {
        guard let family = reply.payload.first.flatMap({ IPFamily(number: UInt16($0)) }),
            let interface: UInt32 = hostOrder(reply.payload.dropFirst(4))
        else { return nil }
        var local: IPAddress?
        var peer: IPAddress?
        for attribute in NetlinkAttributes(reply.payload.dropFirst(MemoryLayout<ifaddrmsg>.size)) {
            switch Int(attribute.type) {
            case Int(IFA_LOCAL): local = IPAddress(bytes: attribute.payload)
            case Int(IFA_ADDRESS): peer = IPAddress(bytes: attribute.payload)
            default: break
            }
        }
        // On a point-to-point link, IFA_ADDRESS is the peer; IPv6 has only IFA_ADDRESS.
        guard let address = local ?? peer, address.family == family else { return nil }
        self.interface = interface
        self.address = address
    }
}
