internal import CNetlink
internal import Glibc
internal import SystemPackage

/// Notifications that a socket does not receive: a program of the kernel's classic BPF (linux/filter.h), so that they cost this program nothing.
///
/// It sees only the first message of a datagram. All messages of a datagram have the same cause.
public struct NotificationFilter: Sendable {
    /// The ports of the sockets whose requests cause notifications that are dropped (`nlmsg_pid`). The kernel does not fill it in for all
    /// kinds of changes.
    private let ports: Set<UInt32>
    /// The only protocol of routes whose notifications are received (`rtm_protocol`); nil for a socket without such notifications.
    private let routingProtocol: UInt8?

    public init(ignoringRequestsOf ports: Set<UInt32>, routingProtocol: UInt8? = nil) {
        self.ports = ports
        self.routingProtocol = routingProtocol
    }

    /// The program. Offsets count from the start of `struct nlmsghdr`.
    var program: [sock_filter] {
        var program = [load(BPF_W, 12)]
        // The program reads numbers in network order.
        for port in ports.sorted() { program += [jump(ifNot: port.bigEndian, over: 1), drop] }
        if let routingProtocol {
            program += [
                load(BPF_H, 4),
                jump(if: UInt32(UInt16(RTM_NEWROUTE).bigEndian), over: 1),
                jump(ifNot: UInt32(UInt16(RTM_DELROUTE).bigEndian), over: 3),
                // rtm_protocol
                load(BPF_B, 16 + 5),
                jump(if: UInt32(routingProtocol), over: 1),
                drop,
            ]
        }
        return program + [accept]
    }

    private func load(_ size: Int32, _ offset: UInt32) -> sock_filter {
        sock_filter(code: UInt16(BPF_LD | size | BPF_ABS), jt: 0, jf: 0, k: offset)
    }

    /// Skips `count` instructions if the loaded number equals `value`.
    private func jump(if value: UInt32, over count: UInt8) -> sock_filter {
        sock_filter(code: UInt16(BPF_JMP | BPF_JEQ | BPF_K), jt: count, jf: 0, k: value)
    }

    /// Skips `count` instructions if the loaded number does not equal `value`.
    private func jump(ifNot value: UInt32, over count: UInt8) -> sock_filter {
        sock_filter(code: UInt16(BPF_JMP | BPF_JEQ | BPF_K), jt: 0, jf: count, k: value)
    }

    private var drop: sock_filter { sock_filter(code: UInt16(BPF_RET | BPF_K), jt: 0, jf: 0, k: 0) }
    private var accept: sock_filter { sock_filter(code: UInt16(BPF_RET | BPF_K), jt: 0, jf: 0, k: .max) }
}

extension NetlinkSocket {
    /// The port of the socket (`nl_pid`), which no other socket of the network namespace and protocol has.
    public var port: UInt32 { channel.port }

    /// Drops notifications before they are received. To be called before `join`.
    public borrowing func attach(_ filter: NotificationFilter) throws(NetlinkError) {
        let descriptor = channel.descriptor
        var program = filter.program
        let status = unsafe program.withUnsafeMutableBufferPointer { instructions in
            var description = unsafe sock_fprog(len: UInt16(instructions.count), filter: instructions.baseAddress)
            return unsafe setsockopt(
                descriptor, SOL_SOCKET, SO_ATTACH_FILTER, &description, socklen_t(MemoryLayout<sock_fprog>.size))
        }
        guard status == 0 else { throw NetlinkError(.kernel(Errno(rawValue: errno)), detail: "SO_ATTACH_FILTER") }
    }
}
