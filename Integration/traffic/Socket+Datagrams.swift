import Glibc

/// A received datagram and the addresses for its reply.
struct Datagram {
    let bytes: [UInt8]
    let sender: SocketAddress
    /// The control message with its destination address: `struct cmsghdr` with `struct in6_pktinfo`, or `struct in_pktinfo` of an IPv4 socket.
    fileprivate let packetInformation: [UInt8]
}

/// A server that listens on all addresses of a host must answer from the destination address of the request. By default, the kernel uses
/// the first address of the return route, from which the client does not accept an answer.
extension Socket {
    /// The size of a header (16 bytes) and `in6_pktinfo` (an address and an interface index), rounded up to a multiple of 8; `in_pktinfo` (an
    /// interface index and two addresses) is shorter.
    private static let informationSize = 40

    /// Must be called before `receiveDatagram`. For IPv4 datagrams, an IPv6 socket reports the mapped address.
    ///
    /// - Parameter family: that of the socket.
    func receivePacketInformation(family: Int32) throws(Failure) {
        if family == AF_INET { return try set(Int32(IP_PKTINFO), 1, level: Int32(IPPROTO_IP)) }
        try set(IPV6_RECVPKTINFO, 1, level: Int32(IPPROTO_IPV6))
    }

    func receiveDatagram() throws(Failure) -> Datagram? {
        var information = [UInt8](repeating: 0, count: Socket.informationSize)
        let ((received, bytes), sender) = SocketAddress.filled { address, length in
            Socket.filled { bytes in
                exchange(bytes.baseAddress, bytes.count, &information, address, length.pointee) { message in
                    let result = recvmsg(descriptor, &message, 0)
                    length.pointee = message.msg_namelen
                    return result
                }
            }
        }
        // The reply may use another interface than the request.
        information.replaceSubrange(sender.family == AF_INET ? 16..<20 : 32..<36, with: [0, 0, 0, 0])
        return try amount(received).map { _ in Datagram(bytes: bytes, sender: sender, packetInformation: information) }
    }

    /// Sends a reply from the destination address of the datagram.
    func send(_ bytes: [UInt8], inAnswerTo datagram: Datagram) {
        var bytes = bytes
        var information = datagram.packetInformation
        // The client handles lost datagrams.
        _ = bytes.withUnsafeMutableBytes { bytes in
            datagram.sender.withPointer { address, length in
                exchange(bytes.baseAddress, bytes.count, &information, UnsafeMutablePointer(mutating: address), length) {
                    sendmsg(descriptor, &$0, Socket.sendFlags)
                }
            }
        }
    }

    private func exchange(
        _ bytes: UnsafeMutableRawPointer?, _ count: Int, _ information: inout [UInt8], _ address: UnsafeMutablePointer<sockaddr>,
        _ length: socklen_t, _ call: (inout msghdr) -> Int
    ) -> Int {
        var vector = iovec(iov_base: bytes, iov_len: count)
        return information.withUnsafeMutableBytes { information in
            withUnsafeMutablePointer(to: &vector) { vector in
                var message = msghdr()
                message.msg_name = UnsafeMutableRawPointer(address)
                message.msg_namelen = length
                message.msg_iov = vector
                message.msg_iovlen = 1
                message.msg_control = information.baseAddress
                message.msg_controllen = information.count
                return call(&message)
            }
        }
    }
}
