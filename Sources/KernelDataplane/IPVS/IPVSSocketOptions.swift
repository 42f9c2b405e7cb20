internal import CNetlink
internal import Glibc
internal import Model
internal import Reconciler
internal import SystemPackage

/// The IPv4 part of the kernel's IPVS table, read and compared through socket options (`linux/ip_vs.h`, `do_ip_vs_get_ctl` in
/// net/netfilter/ipvs/ip_vs_ctl.c).
///
/// One system call returns all virtual servers, or all real servers of one, as an array of structures. With netlink, the real servers of
/// each virtual server are a dump, which takes three calls and about six times as long (`ip_vs_genl_dump_dests`).
///
/// The kernel does not return how many it has: the caller asks for one more than it expects.
final class IPVSSocketOptions {
    /// Reads an option into the first `length` bytes of `value`, and returns the errno of getsockopt(2); nil on success.
    typealias ReadOption = (_ option: Int32, _ value: inout [UInt64], _ length: Int) -> Errno?

    private let read: ReadOption
    /// The value of an option. Its elements have the largest alignment in the structures.
    private(set) var buffer: [UInt64] = []
    /// False after an error that says that this kernel has none of the options, or not for this program.
    private(set) var isSupported = true

    /// - Parameter read: nil to read from the kernel.
    init(read: ReadOption? = nil) {
        let socket = OptionSocket()
        self.read = read ?? { option, value, length in socket.read(option, &value, length) }
    }

    /// The virtual servers beyond the expected ones for which there is space at first: those of other programs.
    private static let space = 64

    /// The errors of a kernel without the options, with structures of another size, and for a program without CAP_NET_ADMIN.
    private static let lastingErrors: Set<Errno> = [
        .invalidArgument, .notPermitted, Errno(rawValue: ENOPROTOOPT), Errno(rawValue: EOPNOTSUPP),
    ]

    /// Compares the virtual servers of IPv4, and the numbers of their real servers, with the expected ones.
    ///
    /// - Returns: nil if the kernel did not return them.
    func compareHeaders(with expected: NodeState) -> Findings? {
        guard isSupported else { return nil }
        var capacity = expected.virtualServers.count + IPVSSocketOptions.space
        while true {
            var comparison = HeaderComparison(with: expected, in: [.ipv4])
            var returned = 0
            var header = ip_vs_get_services()
            header.num_services = UInt32(clamping: capacity)
            let error = get(CNETLINK_IP_VS_SO_GET_SERVICES, header, capacity) { (entry: ip_vs_service_entry) in
                // Every virtual server has the name of a scheduler, or "none".
                guard entry.sched_name.0 != 0 else { return false }
                returned += 1
                if let server = IPVSService(entry).virtualServer { comparison.add(server, realServerCount: Int(entry.num_dests)) }
                return true
            }
            if let error {
                record(error)
                return nil
            }
            if returned < capacity {
                var findings = Findings()
                comparison.end(&findings)
                return findings
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
        record(error)
        return nil
    }

    /// Frees the buffer, which takes the space of all virtual servers.
    func freeBuffer() { buffer = [] }

    private func record(_ error: Errno) { if IPVSSocketOptions.lastingErrors.contains(error) { isSupported = false } }

    /// Reads an option whose value is a header and an array of entries.
    ///
    /// - Parameter body: called with each entry, including unused ones, which are zero, until it returns false.
    private func get<Header, Entry: BitwiseCopyable>(
        _ option: some BinaryInteger, _ header: Header, _ entries: Int, _ body: (Entry) -> Bool
    ) -> Errno? {
        let length = MemoryLayout<Header>.stride + entries * MemoryLayout<Entry>.stride
        let elements = (length + 7) / 8
        if buffer.count < elements { buffer = [UInt64](repeating: 0, count: elements) }
        unsafe buffer.withUnsafeMutableBytes { bytes in
            guard let start = bytes.baseAddress else { return }
            unsafe memset(start, 0, length)
            unsafe withUnsafeBytes(of: header) { unsafe bytes.copyMemory(from: $0) }
        }
        if let error = read(Int32(option), &buffer, length) { return error }
        unsafe buffer.withUnsafeBytes { bytes in
            for index in 0..<entries {
                let offset = MemoryLayout<Header>.stride + index * MemoryLayout<Entry>.stride
                guard body(unsafe bytes.load(fromByteOffset: offset, as: Entry.self)) else { break }
            }
        }
        return nil
    }
}

/// A socket of IPv4, which has the options of IPVS whatever its type. It is opened at its first use.
private final class OptionSocket {
    private var descriptor: FileDescriptor?

    // Nothing is written to the socket, so an error to close it has no consequence.
    deinit { try? descriptor?.close() }

    func read(_ option: Int32, _ value: inout [UInt64], _ length: Int) -> Errno? {
        let descriptor: Int32
        do { descriptor = try open().rawValue } catch { return error }
        return unsafe value.withUnsafeMutableBytes { bytes in
            var size = socklen_t(length)
            var status: Int32 = 0
            repeat {
                status = unsafe getsockopt(descriptor, Int32(IPPROTO_IP), option, bytes.baseAddress, &size)
            } while status != 0 && errno == EINTR
            return status == 0 ? nil : Errno(rawValue: errno)
        }
    }

    private func open() throws(Errno) -> FileDescriptor {
        if let descriptor { return descriptor }
        let number = socket(AF_INET, Int32(SOCK_DGRAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue), 0)
        guard number >= 0 else { throw Errno(rawValue: errno) }
        let opened = FileDescriptor(rawValue: number)
        descriptor = opened
        return opened
    }
}

extension RealServer {
    /// Without connections, which are not compared: few real servers have other values that take an allocation.
    init(_ entry: ip_vs_dest_entry) {
        self.init(
            AddressPort(IPAddress(v4: UInt32(bigEndian: entry.addr)), UInt16(bigEndian: entry.port)),
            weight: UInt32(bitPattern: entry.weight),
            forwarding: Forwarding(rawValue: entry.conn_flags & UInt32(IP_VS_CONN_F_FWD_MASK)) ?? .masquerade,
            upperThreshold: entry.u_threshold, lowerThreshold: entry.l_threshold)
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
