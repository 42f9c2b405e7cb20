public import Model
internal import Netlink
internal import Reconciler
internal import SystemPackage

/// The kernel's IPVS table, through generic netlink.
public struct IPVSClient: ~Copyable {
    let socket: NetlinkSocket
    let messages: IPVSMessages

    /// Opens a socket and resolves the family.
    ///
    /// If the kernel has no IPVS, the error explains what to install.
    public init() throws(DataplaneError) {
        do {
            let socket = try NetlinkSocket.open(.generic)
            messages = IPVSMessages(family: try socket.resolveFamily("IPVS"))
            self.socket = socket
        } catch  where error.code == .kernel(.noSuchFileOrDirectory) {
            throw DataplaneError(
                "IPVS",
                "this kernel has no IPVS: \(ModuleLoading.advice("ip_vs")); if the module does not exist, install its package: linux-image-amd64 on Debian, linux-modules-extra on Ubuntu, kernel-modules on Fedora and RHEL"
            )
        } catch {
            throw DataplaneError("IPVS", error)
        }
    }

    /// Whether the kernel has IPVS; the request loads the module.
    static func isAvailable() throws(DataplaneError) -> Bool {
        do throws(NetlinkError) {
            _ = try NetlinkSocket.open(.generic).resolveFamily("IPVS")
            return true
        } catch  where error.code == .kernel(.noSuchFileOrDirectory) {
            return false
        } catch {
            throw DataplaneError("IPVS", error)
        }
    }

    public borrowing func info() throws(DataplaneError) -> IPVSInfo {
        let replies = try call("IPVS GET_INFO") { messages throws(NetlinkError) in try messages.getInfo() }
        guard let info = replies.first.flatMap(IPVSInfo.init) else { throw DataplaneError("IPVS GET_INFO", "no reply") }
        return info
    }

    /// Every virtual server with its real servers and statistics.
    public borrowing func services() throws(DataplaneError) -> [IPVSService] {
        var services = try headers(withStatistics: true)
        for index in services.indices { services[index].destinations = try destinations(of: services[index].key, withStatistics: true) }
        return services
    }

    /// One virtual server with its real servers and statistics; nil if it does not exist.
    public borrowing func service(_ key: IPVSService.Key) throws(DataplaneError) -> IPVSService? {
        guard var service = try header(key, withStatistics: true) else { return nil }
        service.destinations = try destinations(of: key, withStatistics: true)
        return service
    }

    /// Every virtual server without its real servers.
    borrowing func headers(withStatistics: Bool = false) throws(DataplaneError) -> [IPVSService] {
        let replies = try call("IPVS GET_SERVICE") { messages throws(NetlinkError) in try messages.dumpServices() }
        return try replies.map { reply throws(DataplaneError) in
            guard let service = IPVSService(reply, withStatistics: withStatistics) else {
                throw DataplaneError("IPVS GET_SERVICE", "reply without mandatory attributes")
            }
            return service
        }
    }

    /// The real servers of a virtual server, without statistics; none if it does not exist.
    borrowing func destinations(of identity: VirtualServer.Identity) throws(DataplaneError) -> [IPVSDestination] {
        try destinations(of: IPVSService.Key(identity), withStatistics: false)
    }

    /// One virtual server with its real servers, without statistics; nil if it does not exist.
    borrowing func service(_ identity: VirtualServer.Identity) throws(DataplaneError) -> IPVSService? {
        guard var service = try header(IPVSService.Key(identity), withStatistics: false) else { return nil }
        service.destinations = try destinations(of: service.key, withStatistics: false)
        return service
    }

    private borrowing func header(_ key: IPVSService.Key, withStatistics: Bool) throws(DataplaneError) -> IPVSService? {
        do throws(NetlinkError) {
            let replies = try socket.request(try messages.getService(key))
            guard let service = replies.first.flatMap({ IPVSService($0, withStatistics: withStatistics) }) else {
                throw NetlinkError(.malformed)
            }
            return service
        } catch  where error.code == .kernel(.noSuchProcess) {
            return nil
        } catch {
            throw DataplaneError("IPVS GET_SERVICE \(key)", error)
        }
    }

    borrowing func destinations(of key: IPVSService.Key, withStatistics: Bool) throws(DataplaneError) -> [IPVSDestination] {
        let replies = try call("IPVS GET_DEST \(key)") { messages throws(NetlinkError) in try messages.dumpDestinations(of: key) }
        return try replies.map { reply throws(DataplaneError) in
            guard let destination = IPVSDestination(reply, serviceFamily: key.family, withStatistics: withStatistics) else {
                throw DataplaneError("IPVS GET_DEST \(key)", "reply without mandatory attributes")
            }
            return destination
        }
    }

    /// Whether a virtual server has exactly the expected real servers, which are compared as they are read. It has none if it does not
    /// exist.
    borrowing func hasExpectedRealServers(_ server: VirtualServer) throws(DataplaneError) -> Bool {
        let key = IPVSService.Key(server.identity)
        let initial = (comparison: RealServerComparison(with: server), isMalformed: false)
        let result: (comparison: RealServerComparison, isMalformed: Bool)
        do throws(NetlinkError) {
            result = try socket.request(try messages.dumpDestinations(of: key), into: initial) { result, reply in
                if let destination = IPVSDestination(reply, serviceFamily: key.family, withStatistics: false) {
                    result.comparison.add(destination.realServerWithoutConnections)
                } else {
                    result.isMalformed = true
                }
            }
        } catch {
            throw IPVSClient.error("IPVS GET_DEST \(key)", error)
        }
        if result.isMalformed { throw DataplaneError("IPVS GET_DEST \(key)", "reply without mandatory attributes") }
        return result.comparison.isEqual
    }

    private borrowing func call(
        _ request: @autoclosure () -> String, _ message: (IPVSMessages) throws(NetlinkError) -> NetlinkMessage
    ) throws(DataplaneError) -> [NetlinkReply] {
        do {
            return try socket.request(try message(messages))
        } catch {
            throw IPVSClient.error(request(), error)
        }
    }

    /// Whether the kernel has a scheduler: creates a virtual server with it on a documentation address (RFC 5737), and deletes it.
    ///
    /// The kernel loads `ip_vs_<name>` for it. Fails if the test itself fails.
    public borrowing func hasScheduler(_ scheduler: Scheduler) throws(DataplaneError) -> Bool {
        try testService(on: IPVSClient.documentationAddress, scheduler, missing: .noSuchFileOrDirectory)
    }

    /// The schedulers that the kernel has.
    borrowing func schedulers(among schedulers: [Scheduler]) throws(DataplaneError) -> Set<Scheduler> {
        var found: Set<Scheduler> = []
        for scheduler in schedulers where try hasScheduler(scheduler) { found.insert(scheduler) }
        return found
    }

    /// Whether the kernel has virtual servers of a family: creates one on a documentation address (RFC 5737, RFC 3849), and deletes it.
    ///
    /// Without `CONFIG_IP_VS_IPV6`, IPv6 is refused with EAFNOSUPPORT (`ip_vs_genl_parse_service`, net/netfilter/ipvs/ip_vs_ctl.c).
    ///
    /// - Parameter scheduler: one that the kernel has.
    borrowing func accepts(_ family: IPFamily, _ scheduler: Scheduler) throws(DataplaneError) -> Bool {
        let address = family == .ipv4 ? IPVSClient.documentationAddress : IPVSClient.documentationAddress6
        return try testService(on: address, scheduler, missing: .addressFamilyNotSupported)
    }

    /// 198.51.100.0
    private static let documentationAddress = IPAddress(v4: 0xC633_6400)
    /// 2001:db8::
    private static let documentationAddress6 = IPAddress(family: .ipv6, high: 0x2001_0DB8_0000_0000, low: 0)

    /// Creates and deletes a virtual server.
    ///
    /// - Parameter missing: the kernel's error if it lacks the tested feature.
    /// - Returns: whether it has it.
    private borrowing func testService(
        on address: IPAddress, _ scheduler: Scheduler, missing: Errno
    ) throws(DataplaneError) -> Bool {
        let identity = VirtualServer.Identity(.tcp, AddressPort(address, 20000))
        let request = "IPVS NEW_SERVICE \(identity) with scheduler \(scheduler)"
        let failure = try execute(request) { messages throws(NetlinkError) in
            try messages.newService(VirtualServer(identity, scheduler: scheduler))
        }
        if failure?.code == .kernel(missing) { return false }
        // EEXIST: left by a probe that was killed, and deleted below as well.
        if let failure, failure.code != .kernel(.fileExists) { throw IPVSClient.error(request, failure) }
        if let failure = try execute(request, { messages throws(NetlinkError) in try messages.deleteService(identity) }) {
            throw IPVSClient.error("IPVS DEL_SERVICE \(identity)", failure)
        }
        return true
    }

    /// The kernel permits requests to IPVS only with CAP_NET_ADMIN in the initial user namespace (`GENL_ADMIN_PERM`).
    private static func error(_ request: String, _ error: NetlinkError) -> DataplaneError {
        guard error.code == .kernel(.notPermitted), !UserNamespace.isInitial else { return DataplaneError(request, error) }
        return DataplaneError(request, "\(error): \(UserNamespace.advice)")
    }

    /// `ipvsadm --set`.
    ///
    /// - Returns: the kernel's error; nil on success.
    borrowing func setTimeouts(_ timeouts: IPVSTimeouts) throws(DataplaneError) -> DataplaneError? {
        let request = "IPVS SET_CONFIG tcp \(timeouts.tcp) tcpfin \(timeouts.tcpFin) udp \(timeouts.udp)"
        return try execute(request) { messages throws(NetlinkError) in try messages.setConfig(timeouts) }
            .map { DataplaneError(request, $0) }
    }

    /// `ipvsadm -L --timeout`.
    public borrowing func timeouts() throws(DataplaneError) -> IPVSTimeouts {
        let replies = try call("IPVS GET_CONFIG") { messages throws(NetlinkError) in try messages.getConfig() }
        guard let timeouts = replies.first.map(IPVSTimeouts.init) else { throw DataplaneError("IPVS GET_CONFIG", "no reply") }
        return timeouts
    }

    /// `ipvsadm -Z`: zeroes the counters of one virtual server and its real servers, or of all.
    ///
    /// - Returns: whether the virtual server exists.
    public borrowing func zero(_ key: IPVSService.Key?) throws(DataplaneError) -> Bool {
        let request = "IPVS ZERO \(key?.description ?? "all")"
        let failure = try execute(request) { messages throws(NetlinkError) in try messages.zero(key) }
        if failure?.code == .kernel(.noSuchProcess) { return false }
        if let failure { throw DataplaneError(request, failure) }
        return true
    }

    private borrowing func execute(
        _ request: String, _ message: (IPVSMessages) throws(NetlinkError) -> NetlinkMessage
    ) throws(DataplaneError) -> NetlinkError? {
        var batch = NetlinkBatch()
        do {
            try batch.add(try message(messages))
        } catch {
            throw DataplaneError(request, error)
        }
        return socket.execute(batch)[0]
    }
}

extension IPVSDestination {
    /// For comparisons, which ignore connections: few real servers have other values that take an allocation.
    fileprivate var realServerWithoutConnections: RealServer {
        RealServer(
            location, weight: weight, forwarding: RealServer.Forwarding(rawValue: forwarding) ?? .masquerade,
            upperThreshold: upperThreshold,
            lowerThreshold: lowerThreshold)
    }
}

/// Reads traffic counters, on its own socket and thread, so that a sync does not wait for a scrape. The kernel serializes the two.
public actor IPVSTraffic {
    private let executor = KernelExecutor()
    public nonisolated var unownedExecutor: UnownedSerialExecutor { unsafe executor.asUnownedSerialExecutor() }

    private let client: IPVSClient

    public init() throws(DataplaneError) { client = try IPVSClient() }

    /// Every virtual server with its counters and without its real servers: one dump.
    public func virtualServers() throws(DataplaneError) -> [IPVSService] { try client.headers(withStatistics: true) }

    /// The real servers of some virtual servers with their counters: one dump for each; none for a removed one.
    ///
    /// - Returns: only the first ones if there are too many, as users decide how many addresses and endpoints a Service has.
    public func realServers(
        of identities: [VirtualServer.Identity]
    ) throws(DataplaneError) -> [VirtualServer.Identity: [IPVSDestination]] {
        var found: [VirtualServer.Identity: [IPVSDestination]] = [:]
        var count = 0
        for identity in identities where count < IPVSTraffic.maximumServers {
            let destinations = try client.destinations(of: IPVSService.Key(identity), withStatistics: true)
            found[identity] = destinations
            count += 1 + destinations.count
        }
        return found
    }

    /// The maximum number of virtual and real servers to read.
    private static let maximumServers = 1 << 16
}
