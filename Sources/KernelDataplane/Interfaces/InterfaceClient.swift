internal import CNetlink
internal import Glibc
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
    borrowing func device() throws(DataplaneError) -> UInt32? { try link()?.index }

    /// The interface index of the device of this name, of any kind; nil if it does not exist.
    borrowing func index() throws(DataplaneError) -> UInt32? {
        do throws(NetlinkError) {
            return try socket.request(try InterfaceMessages.getLink(NodeState.deviceName)).lazy.compactMap({ Link($0) }).first?.index
        } catch  where error.code == .kernel(.operationNotSupportedByDevice) {
            return nil
        } catch {
            throw DataplaneError("interface \(NodeState.deviceName)", error)
        }
    }

    /// The dummy device; nil if it does not exist.
    ///
    /// Fails if the interface of this name has another kind.
    borrowing func link() throws(DataplaneError) -> Link? {
        do throws(NetlinkError) {
            // swift-system's name of ENODEV is operationNotSupportedByDevice.
            guard let link = try socket.request(try InterfaceMessages.getLink(NodeState.deviceName)).lazy.compactMap({ Link($0) }).first
            else {
                throw NetlinkError(.malformed)
            }
            guard link.kind == "dummy" else {
                throw NetlinkError(.malformed, detail: "of kind \(link.kind ?? "none"), not dummy: remove or rename the interface")
            }
            return link
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
        let none: (on: Set<IPAddress>, elsewhere: Set<IPAddress>) = ([], [])
        return try readAddresses(on: interface, into: none) { found, address, isOnInterface in
            if isOnInterface { found.on.insert(address) } else { found.elsewhere.insert(address) }
        }
    }

    /// Whether the interface has exactly these addresses, each once, and the addresses on other interfaces.
    borrowing func hasExpected(
        _ expected: [IPAddress: ServiceOrigin?], on interface: UInt32?
    ) throws(DataplaneError) -> (Bool, elsewhere: Set<IPAddress>) {
        let none: (matches: Int, others: Int, elsewhere: Set<IPAddress>) = (0, 0, [])
        let found = try readAddresses(on: interface, into: none) { found, address, isOnInterface in
            if !isOnInterface {
                found.elsewhere.insert(address)
            } else if expected[address] != nil {
                found.matches += 1
            } else {
                found.others += 1
            }
        }
        return (found.matches == expected.count && found.others == 0, found.elsewhere)
    }

    /// Returns `initial` after it was updated with each address of this network namespace, and whether the address is on the interface.
    private borrowing func readAddresses<Found>(
        on interface: UInt32?, into initial: Found, _ update: (inout Found, IPAddress, _ isOnInterface: Bool) -> Void
    ) throws(DataplaneError) -> Found {
        do throws(NetlinkError) {
            return try socket.request(try InterfaceMessages.dumpAddresses(), into: initial) { found, reply in
                guard let address = InterfaceAddress(reply) else { return }
                if address.interface != interface {
                    update(&found, address.address, false)
                } else if !(address.address.family == .ipv6 && address.address.isLinkLocal) {
                    update(&found, address.address, true)
                }
            }
        } catch {
            throw DataplaneError("RTM_GETADDR", error)
        }
    }
}

extension InterfaceClient {
    /// The addresses of this network namespace on other interfaces.
    borrowing func nodeAddresses(besides interface: UInt32?) throws(DataplaneError) -> NodeAddresses {
        let replies: [NetlinkReply]
        do {
            replies = try socket.request(try InterfaceMessages.dumpAddresses())
        } catch {
            throw DataplaneError("RTM_GETADDR", error)
        }
        var (all, tentative): (Set<IPAddress>, Set<IPAddress>) = ([], [])
        for found in replies.lazy.compactMap({ InterfaceAddress($0) }) where found.interface != interface {
            all.insert(found.address)
            if found.isTentative { tentative.insert(found.address) }
        }
        return NodeAddresses(all, tentative: tentative)
    }

    /// Sets an interface up so that it gets no link-local address.
    ///
    /// These are two requests: in a single one, the kernel sets the interface up first (net/core/rtnetlink.c `do_setlink`).
    borrowing func setUp(_ interface: UInt32) throws(DataplaneError) {
        do throws(NetlinkError) {
            var batch = NetlinkBatch()
            try batch.add(try InterfaceMessages.setAddressGeneration(off: interface))
            try batch.add(try InterfaceMessages.setUp(interface))
            if let error = socket.execute(batch).values.first { throw error }
        } catch {
            throw DataplaneError("interface \(NodeState.deviceName)", error)
        }
    }

    /// The IPv6 addresses of the interface, of these, to which the kernel has not added its own route yet. Waits up to a second until there
    /// are none.
    ///
    /// On an interface that is up, the kernel adds it after duplicate address detection: in a work queue, even if there is nothing to detect
    /// (net/ipv6/addrconf.c `addrconf_dad_start`). Without it and without our route, the address would not be one of the node.
    borrowing func addressesWithoutKernelRoute(among addresses: Set<IPAddress>, on interface: UInt32) throws(DataplaneError)
        -> Set<IPAddress>
    {
        guard !addresses.isEmpty else { return [] }
        var missing = try self.addresses(on: interface).on.intersection(addresses)
        for attempt in 0..<InterfaceClient.routeChecks where !missing.isEmpty {
            if attempt > 0 { usleep(InterfaceClient.routeCheckInterval) }
            missing.subtract(try kernelRoutes(over: interface))
        }
        return missing
    }

    private static let routeChecks = 100
    /// In microseconds.
    private static let routeCheckInterval: UInt32 = 10_000

    /// The interface that a dump of routes is filtered by; nil for all routes, on a kernel that filters none.
    private borrowing func filter(_ interface: UInt32) -> UInt32? { socket.filtersDumps ? interface : nil }

    /// The destinations of the IPv6 routes that the kernel has added to the addresses of an interface.
    private borrowing func kernelRoutes(over interface: UInt32) throws(DataplaneError) -> Set<IPAddress> {
        do {
            let dump = try RouteMessages.dump(.ipv6, of: .kernel, over: filter(interface))
            let routes = try socket.request(dump, keepingAtMost: .max) { InterfaceRoute($0, of: .kernel) }
            return Set(routes.lazy.filter { $0.interface == interface }.map(\.destination))
        } catch {
            throw DataplaneError("RTM_GETROUTE", error)
        }
    }

    /// Our routes over an interface, by destination.
    borrowing func routes(over interface: UInt32) throws(DataplaneError) -> [IPAddress: LocalRoute] {
        var routes: [IPAddress: LocalRoute] = [:]
        for family in IPFamily.allCases {
            do {
                let dump = try RouteMessages.dump(family, of: .proxy, over: filter(interface))
                for route in try socket.request(dump, keepingAtMost: .max, { InterfaceRoute($0, of: .proxy) })
                where route.interface == interface {
                    routes[route.destination] = LocalRoute(source: route.source)
                }
            } catch {
                throw DataplaneError("RTM_GETROUTE", error)
            }
        }
        return routes
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

    /// `ip link set NAME addrgenmode none`
    static func setAddressGeneration(off interface: UInt32) throws(NetlinkError) -> NetlinkMessage {
        var message = try NetlinkMessage(type: UInt16(RTM_NEWLINK))
        message.putHeader(
            ifinfomsg(ifi_family: 0, __ifi_pad: 0, ifi_type: 0, ifi_index: Int32(bitPattern: interface), ifi_flags: 0, ifi_change: 0))
        message.nest(Int(IFLA_AF_SPEC)) {
            $0.nest(Int(AF_INET6)) { $0.put(Int(IFLA_INET6_ADDR_GEN_MODE), u8: UInt8(IN6_ADDR_GEN_MODE_NONE.rawValue)) }
        }
        return message
    }

    /// `ip link set NAME up`
    static func setUp(_ interface: UInt32) throws(NetlinkError) -> NetlinkMessage {
        var message = try NetlinkMessage(type: UInt16(RTM_NEWLINK))
        message.putHeader(
            ifinfomsg(
                ifi_family: 0, __ifi_pad: 0, ifi_type: 0, ifi_index: Int32(bitPattern: interface), ifi_flags: Link.upFlag,
                ifi_change: Link.upFlag))
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
                ifa_scope: UInt8((address.isLoopback ? RT_SCOPE_HOST : RT_SCOPE_UNIVERSE).rawValue), ifa_index: interface))
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
    var isUp: Bool

    /// `IFF_UP` (linux/if.h)
    static let upFlag: UInt32 = 1

    init?(_ reply: NetlinkReply) {
        guard let index: UInt32 = hostOrder(reply.payload.dropFirst(4)), let flags: UInt32 = hostOrder(reply.payload.dropFirst(8)) else {
            return nil
        }
        self.index = index
        isUp = flags & Link.upFlag != 0
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
    /// Whether duplicate address detection has not ended, or has failed.
    var isTentative: Bool

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
        isTentative = reply.payload.dropFirst(2).first.map { UInt32($0) & UInt32(IFA_F_TENTATIVE) != 0 } ?? false
    }
}
