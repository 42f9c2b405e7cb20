internal import CNetlink
internal import Glibc
internal import Model
internal import Netlink

/// Requests to the generic netlink family `IPVS` (`linux/ip_vs.h`, net/netfilter/ipvs/ip_vs_ctl.c).
///
/// Family, protocol, address and port identify a virtual server; creating or changing one requires all of its settings.
struct IPVSMessages {
    /// The resolved number of the family.
    let family: UInt16

    /// Set by the kernel on every virtual server in its table.
    static let hashedFlag = UInt32(IP_VS_SVC_F_HASHED)

    private func message(_ command: Int, flags: Int32 = 0) throws(NetlinkError) -> NetlinkMessage {
        var message = try NetlinkMessage(type: family, flags: UInt16(flags))
        message.putHeader(genlmsghdr(cmd: UInt8(command), version: UInt8(IPVS_GENL_VERSION), reserved: 0))
        return message
    }

    // MARK: Virtual servers

    /// `ipvsadm -A`; fails with EEXIST if it exists, ENOENT if the scheduler is missing.
    func newService(_ server: VirtualServer) throws(NetlinkError) -> NetlinkMessage {
        try service(Int(IPVS_CMD_NEW_SERVICE), server)
    }

    /// `ipvsadm -E`; fails with ESRCH if it does not exist.
    func setService(_ server: VirtualServer) throws(NetlinkError) -> NetlinkMessage {
        try service(Int(IPVS_CMD_SET_SERVICE), server)
    }

    private func service(_ command: Int, _ server: VirtualServer) throws(NetlinkError) -> NetlinkMessage {
        var message = try message(command)
        message.nest(Int(IPVS_CMD_ATTR_SERVICE)) { message in
            IPVSMessages.putKey(server.identity, &message)
            message.put(Int(IPVS_SVC_ATTR_SCHED_NAME), string: server.scheduler.name)
            IPVSMessages.putFlags(server.flags.rawValue, &message)
            message.put(Int(IPVS_SVC_ATTR_TIMEOUT), u32: server.timeout)
            message.put(Int(IPVS_SVC_ATTR_NETMASK), u32: IPVSMessages.netmask(server))
        }
        return message
    }

    /// Determines the clients that share a persistence entry: for IPv4 a mask in network order, for IPv6 a prefix length.
    private static func netmask(_ server: VirtualServer) -> UInt32 {
        switch server.identity.family {
        case .ipv4: (UInt32.max << (32 - UInt32(min(server.affinityPrefix, 32)))).bigEndian
        case .ipv6: UInt32(server.affinityPrefix)
        }
    }

    /// `ipvsadm -D`; fails with ESRCH if it does not exist.
    func deleteService(_ identity: VirtualServer.Identity) throws(NetlinkError) -> NetlinkMessage {
        var message = try message(Int(IPVS_CMD_DEL_SERVICE))
        message.nest(Int(IPVS_CMD_ATTR_SERVICE)) { IPVSMessages.putKey(identity, &$0) }
        return message
    }

    /// One virtual server; fails with ESRCH if it does not exist.
    func getService(_ key: IPVSService.Key) throws(NetlinkError) -> NetlinkMessage {
        var message = try message(Int(IPVS_CMD_GET_SERVICE), flags: NLM_F_ACK)
        message.nest(Int(IPVS_CMD_ATTR_SERVICE)) { IPVSMessages.putKey(key, &$0) }
        return message
    }

    /// `ipvsadm -Z`, for one or all; fails with ESRCH if it does not exist.
    func zero(_ key: IPVSService.Key?) throws(NetlinkError) -> NetlinkMessage {
        var message = try message(Int(IPVS_CMD_ZERO))
        if let key { message.nest(Int(IPVS_CMD_ATTR_SERVICE)) { IPVSMessages.putKey(key, &$0) } }
        return message
    }

    func dumpServices() throws(NetlinkError) -> NetlinkMessage {
        try message(Int(IPVS_CMD_GET_SERVICE), flags: NLM_F_DUMP)
    }

    private static func putKey(_ identity: VirtualServer.Identity, _ message: inout NetlinkMessage) {
        putKey(IPVSService.Key(identity), &message)
    }

    private static func putKey(_ key: IPVSService.Key, _ message: inout NetlinkMessage) {
        message.put(Int(IPVS_SVC_ATTR_AF), u16: key.family.number)
        switch key {
        case .firewallMark(let mark, _): message.put(Int(IPVS_SVC_ATTR_FWMARK), u32: mark)
        case .address(let number, let location):
            message.put(Int(IPVS_SVC_ATTR_PROTOCOL), u16: number)
            message.put(Int(IPVS_SVC_ATTR_ADDR), bytes: location.address.bytes)
            message.put(Int(IPVS_SVC_ATTR_PORT), networkU16: location.port)
        }
    }

    /// `struct ip_vs_flags`: the flags, and the mask of those to set.
    private static func putFlags(_ flags: UInt32, _ message: inout NetlinkMessage) {
        var bytes: [UInt8] = []
        for number in [flags, UInt32.max] {
            unsafe withUnsafeBytes(of: number) { unsafe bytes.append(contentsOf: $0) }
        }
        message.put(Int(IPVS_SVC_ATTR_FLAGS), bytes: bytes)
    }

    // MARK: Real servers

    /// `ipvsadm -a`; fails with EEXIST if it exists, ESRCH if the virtual server is missing.
    func newDestination(_ server: RealServer, of identity: VirtualServer.Identity) throws(NetlinkError) -> NetlinkMessage {
        try destination(Int(IPVS_CMD_NEW_DEST), server, of: identity)
    }

    /// `ipvsadm -e`; fails with ENOENT if it does not exist, ESRCH if the virtual server is missing.
    func setDestination(_ server: RealServer, of identity: VirtualServer.Identity) throws(NetlinkError) -> NetlinkMessage {
        try destination(Int(IPVS_CMD_SET_DEST), server, of: identity)
    }

    private func destination(_ command: Int, _ server: RealServer, of identity: VirtualServer.Identity) throws(NetlinkError)
        -> NetlinkMessage
    {
        var message = try message(command)
        message.nest(Int(IPVS_CMD_ATTR_SERVICE)) { IPVSMessages.putKey(identity, &$0) }
        message.nest(Int(IPVS_CMD_ATTR_DEST)) { message in
            IPVSMessages.putKey(server.location, &message)
            message.put(Int(IPVS_DEST_ATTR_FWD_METHOD), u32: server.forwarding.rawValue)
            message.put(Int(IPVS_DEST_ATTR_WEIGHT), u32: server.weight)
            message.put(Int(IPVS_DEST_ATTR_U_THRESH), u32: server.upperThreshold)
            message.put(Int(IPVS_DEST_ATTR_L_THRESH), u32: server.lowerThreshold)
        }
        return message
    }

    /// `ipvsadm -d`; fails with ENOENT if it does not exist, ESRCH if the virtual server is missing.
    func deleteDestination(_ location: AddressPort, of identity: VirtualServer.Identity) throws(NetlinkError) -> NetlinkMessage {
        var message = try message(Int(IPVS_CMD_DEL_DEST))
        message.nest(Int(IPVS_CMD_ATTR_SERVICE)) { IPVSMessages.putKey(identity, &$0) }
        message.nest(Int(IPVS_CMD_ATTR_DEST)) { IPVSMessages.putKey(location, &$0) }
        return message
    }

    /// The real servers of a virtual server; the reply is empty if it does not exist.
    func dumpDestinations(of key: IPVSService.Key) throws(NetlinkError) -> NetlinkMessage {
        var message = try message(Int(IPVS_CMD_GET_DEST), flags: NLM_F_DUMP)
        message.nest(Int(IPVS_CMD_ATTR_SERVICE)) { IPVSMessages.putKey(key, &$0) }
        return message
    }

    private static func putKey(_ location: AddressPort, _ message: inout NetlinkMessage) {
        message.put(Int(IPVS_DEST_ATTR_ADDR), bytes: location.address.bytes)
        message.put(Int(IPVS_DEST_ATTR_PORT), networkU16: location.port)
        message.put(Int(IPVS_DEST_ATTR_ADDR_FAMILY), u16: location.address.family.number)
    }

    // MARK: The complete table

    /// `ipvsadm --set`: in seconds; 0 keeps the current value.
    func setConfig(_ timeouts: IPVSTimeouts) throws(NetlinkError) -> NetlinkMessage {
        func seconds(_ duration: Duration) -> UInt32 { UInt32(clamping: duration.components.seconds) }
        var message = try message(Int(IPVS_CMD_SET_CONFIG))
        message.put(Int(IPVS_CMD_ATTR_TIMEOUT_TCP), u32: seconds(timeouts.tcp))
        message.put(Int(IPVS_CMD_ATTR_TIMEOUT_TCP_FIN), u32: seconds(timeouts.tcpFin))
        message.put(Int(IPVS_CMD_ATTR_TIMEOUT_UDP), u32: seconds(timeouts.udp))
        return message
    }

    func getConfig() throws(NetlinkError) -> NetlinkMessage { try message(Int(IPVS_CMD_GET_CONFIG), flags: NLM_F_ACK) }

    func getInfo() throws(NetlinkError) -> NetlinkMessage { try message(Int(IPVS_CMD_GET_INFO), flags: NLM_F_ACK) }
}

extension IPVSService {
    /// The virtual server of the model; nil for firewall marks and for protocols that Services do not have.
    var virtualServer: VirtualServer? {
        guard let identity = key.identity, let scheduler = Scheduler(scheduler) else { return nil }
        return VirtualServer(
            identity, scheduler: scheduler, flags: .init(rawValue: flags & ~IPVSMessages.hashedFlag), timeout: timeout,
            affinityPrefix: affinityPrefix, realServers: destinations.map(\.realServer))
    }

    /// 0, which the proxy never sets, if the mask of an IPv4 virtual server is not contiguous.
    private var affinityPrefix: UInt8 {
        switch family {
        case .ipv4: (~netmask & (~netmask &+ 1)) == 0 ? UInt8(netmask.nonzeroBitCount) : 0
        case .ipv6: UInt8(clamping: netmask)
        }
    }
}

extension IPVSDestination {
    var realServer: RealServer {
        RealServer(
            location, weight: weight, forwarding: RealServer.Forwarding(rawValue: forwarding) ?? .masquerade,
            upperThreshold: upperThreshold,
            lowerThreshold: lowerThreshold, connections: connections)
    }
}
