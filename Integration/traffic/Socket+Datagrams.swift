import Glibc

/// A datagram that came, and the way back.
struct Datagram {
    let bytes: [UInt8]
    let sender: SocketAddress
    /// The control message that names the address it came to: `struct cmsghdr` with `struct in6_pktinfo`.
    fileprivate let packetInformation: [UInt8]
}

/// A server that listens on all addresses of a host answers from the one it was asked at: left to itself the kernel takes the first address on the way back,
/// and nobody waits for an answer from there.
extension Socket {
    /// Of a header (16 bytes) and `in6_pktinfo` (an address and the number of an interface), filled up to a multiple of 8.
    private static let informationSize = 40
    private static let interface = 32..<36

    /// To be called before `receiveDatagram`. Of IPv4 datagrams an IPv6 socket tells the mapped address.
    func tellPacketInformation() throws(Failure) { try set(IPV6_RECVPKTINFO, 1, level: Int32(IPPROTO_IPV6)) }

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
        // The answer may leave by another interface than the question came by.
        information.replaceSubrange(Socket.interface, with: [0, 0, 0, 0])
        return try amount(received).map { _ in Datagram(bytes: bytes, sender: sender, packetInformation: information) }
    }

    /// Answers from the address that the datagram came to.
    func send(_ bytes: [UInt8], inAnswerTo datagram: Datagram) {
        var bytes = bytes
        var information = datagram.packetInformation
        // A lost datagram is the client's to notice.
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
