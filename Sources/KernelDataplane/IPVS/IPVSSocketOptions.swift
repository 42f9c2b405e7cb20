internal import CNetlink
internal import Glibc
internal import Model
internal import Reconciler
internal import SystemPackage

/// The IPv4 part of the kernel's IPVS table, through socket options (`linux/ip_vs.h`, `do_ip_vs_get_ctl` in net/netfilter/ipvs/ip_vs_ctl.c).
///
/// One system call returns all virtual servers, or all real servers of one, as an array of structures. With netlink, the real servers of each
/// virtual server are a dump, which takes three calls and about six times as long (`ip_vs_genl_dump_dests`).
///
/// The kernel does not return how many it has: the caller asks for one more than it expects.
final class IPVSSocketOptions {
    private var descriptor: FileDescriptor?
    /// For the structures, which have at most the alignment of its elements.
    private var buffer: [UInt64] = []
    /// False after the kernel has rejected an option.
    private(set) var isSupported = true

    /// The size of the buffer that is kept, in elements.
    private static let keptBuffer = 8192

    deinit { try? descriptor?.close() }

    /// Calls `body` for each virtual server of IPv4, including those of others.
    ///
    /// - Parameter count: the number of expected virtual servers.
    /// - Returns: whether the kernel returned them.
    func forEachService(expecting count: Int, _ body: (ip_vs_service_entry) -> Void) -> Bool {
        guard isSupported else { return false }
        var capacity = count + 64
        while true {
            var header = ip_vs_get_services()
            header.num_services = UInt32(clamping: capacity)
            var returned = 0
            let error = get(CNETLINK_IP_VS_SO_GET_SERVICES, header, capacity) { (entry: ip_vs_service_entry) in
                // Every virtual server has the name of a scheduler, or "none".
                guard entry.sched_name.0 != 0 else { return false }
                returned += 1
                return true
            }
            if let error {
                if error != .noMemory { isSupported = false }
                return false
            }
            if returned < capacity {
                forEachInBuffer(after: header, returned, body)
                return true
            }
            capacity *= 2
        }
    }

    /// Compares the real servers of a virtual server of IPv4 with the expected ones.
    ///
    /// Real servers of IPv6 are left out.
    ///
    /// - Returns: nil if the kernel did not return them.
    func hasExpectedRealServers(_ server: VirtualServer) -> Bool? {
        let identity = server.identity
        guard isSupported, let address = identity.location.address.v4Bits else { return nil }
        var header = ip_vs_get_dests()
        header.protocol = UInt16(identity.transport.number)
        header.addr = address.bigEndian
        header.port = identity.location.port.bigEndian
        var comparison = RealServerComparison(with: server)
        let capacity = comparison.expectedCount + 1
        header.num_dests = UInt32(clamping: capacity)
        let error = get(CNETLINK_IP_VS_SO_GET_DESTS, header, capacity) { (entry: ip_vs_dest_entry) in
            // Real servers have unicast addresses.
            guard entry.addr != 0 else { return false }
            comparison.add(RealServer(entry))
            return true
        }
        // ESRCH: there is no such virtual server.
        guard let error, error != .noSuchProcess else { return comparison.isEqual }
        if error != .noMemory { isSupported = false }
        return nil
    }

    /// Reads an option whose value is a header and an array of entries.
    ///
    /// - Parameter body: called with each entry, including unused ones, which are zero, until it returns false.
    private func get<Header, Entry: BitwiseCopyable>(
        _ option: some BinaryInteger, _ header: Header, _ entries: Int, _ body: (Entry) -> Bool
    ) -> Errno? {
        let descriptor: FileDescriptor
        do {
            descriptor = try openSocket()
        } catch {
            return error as? Errno ?? .ioError
        }
        let length = MemoryLayout<Header>.stride + entries * MemoryLayout<Entry>.stride
        let elements = (length + 7) / 8
        if buffer.count < elements || buffer.count > IPVSSocketOptions.keptBuffer { buffer = [UInt64](repeating: 0, count: elements) }
        return unsafe buffer.withUnsafeMutableBytes { bytes in
            guard let start = bytes.baseAddress else { return .invalidArgument }
            unsafe memset(start, 0, length)
            unsafe withUnsafeBytes(of: header) { unsafe bytes.copyMemory(from: $0) }
            var size = socklen_t(length)
            var status: Int32 = 0
            repeat {
                status = unsafe getsockopt(descriptor.rawValue, Int32(IPPROTO_IP), Int32(option), start, &size)
            } while status != 0 && errno == EINTR
            guard status == 0 else { return Errno(rawValue: errno) }
            for index in 0..<entries {
                let offset = MemoryLayout<Header>.stride + index * MemoryLayout<Entry>.stride
                guard body(unsafe bytes.load(fromByteOffset: offset, as: Entry.self)) else { break }
            }
            return nil
        }
    }

    /// Calls `body` with the first entries that the last call returned.
    private func forEachInBuffer<Header, Entry: BitwiseCopyable>(
        after header: Header, _ count: Int, _ body: (Entry) -> Void
    ) {
        unsafe buffer.withUnsafeBytes { bytes in
            for index in 0..<count {
                body(unsafe bytes.load(fromByteOffset: MemoryLayout<Header>.stride + index * MemoryLayout<Entry>.stride, as: Entry.self))
            }
        }
        if buffer.count > IPVSSocketOptions.keptBuffer { buffer = [] }
    }

    private func openSocket() throws -> FileDescriptor {
        if let descriptor { return descriptor }
        // Any socket of IPv4.
        let number = socket(AF_INET, Int32(SOCK_DGRAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue), 0)
        guard number >= 0 else { throw Errno(rawValue: errno) }
        let opened = FileDescriptor(rawValue: number)
        descriptor = opened
        return opened
    }
}

extension RealServer {
    init(_ entry: ip_vs_dest_entry) {
        self.init(
            AddressPort(IPAddress(v4: UInt32(bigEndian: entry.addr)), UInt16(bigEndian: entry.port)),
            weight: UInt32(bitPattern: entry.weight),
            forwarding: Forwarding(rawValue: entry.conn_flags & UInt32(IP_VS_CONN_F_FWD_MASK)) ?? .masquerade,
            upperThreshold: entry.u_threshold, lowerThreshold: entry.l_threshold,
            connections: Connections(active: entry.activeconns, inactive: entry.inactconns, persistent: entry.persistconns))
    }
}

extension IPVSService {
    /// Without real servers and statistics.
    init(_ entry: ip_vs_service_entry) {
        let location = AddressPort(IPAddress(v4: UInt32(bigEndian: entry.addr)), UInt16(bigEndian: entry.port))
        let name = unsafe withUnsafeBytes(of: entry.sched_name) { unsafe String(decoding: $0.prefix { $0 != 0 }, as: UTF8.self) }
        self.init(
            key: entry.fwmark == 0 ? .address(protocolNumber: entry.protocol, location) : .firewallMark(entry.fwmark, .ipv4),
            scheduler: name, flags: entry.flags, timeout: entry.timeout, netmask: UInt32(bigEndian: entry.netmask))
    }
}
