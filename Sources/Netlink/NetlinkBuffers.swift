/// The sizes of a socket's buffers in bytes, as the kernel reports them (`SO_SNDBUF`, `SO_RCVBUF`), and the limits that follow from them.
struct NetlinkBuffers: Equatable {
    var send: Int
    var receive: Int

    /// The maximum length of a send in bytes. The kernel copies a send in one piece, and rejects one that is longer than the send buffer
    /// without 32 bytes (`netlink_sendmsg`, net/netlink/af_netlink.c).
    var maximumSend: Int { max(send - 32, 0) }

    /// The length of a send in bytes, for requests that may be divided among several.
    var bytesPerSend: Int { min(64 * 1024, maximumSend) }

    /// The maximum number of messages in a send: the errors of all of them fit in the receive buffer, which each one fills by the memory
    /// that it takes (`skb->truesize`). That is about 1 KiB for an error with a text.
    var messagesPerSend: Int { min(1024, max(receive / 2048, 1)) }

    /// The length in bytes of the buffer for datagrams.
    ///
    /// The kernel sizes the parts of a dump by it, up to 32 KiB. It generates the next part while half of the receive buffer is free; newer
    /// kernels end the dump with ENOBUFS if both parts together fill the receive buffer (`netlink_recvmsg`, `netlink_dump`). A part takes at
    /// most twice its length and some hundred bytes.
    var datagramBytes: Int { min(NetlinkBuffers.longestPart, receive / 8) }

    /// The maximum length in bytes of a part of a dump.
    static let longestPart = 32 * 1024
}
