internal import CNetlink

/// Transactions of nfnetlink: all requests are carried out, or none.
extension NetlinkSocket {
    /// The maximum length of a transaction in bytes, which is one send.
    public var maximumTransactionBytes: Int { channel.buffers.maximumSend - 2 * NetlinkSocket.bracketBytes }

    /// The length of the begin and the end message: `nlmsghdr` and `nfgenmsg`.
    private static let bracketBytes = NetlinkHeader.size + 4

    /// Sends requests as a transaction, between a begin and an end message (as nfnetlink requires), and returns the requests at fault, or nil
    /// if all are carried out.
    ///
    /// Fails if the transaction as such is rejected. The kernel processes all requests and reports errors in their order
    /// (`nfnetlink_rcv_batch`, `nfnl_err_deliver`, net/netfilter/nfnetlink.c), so the acknowledgement of the last request is the end: kernels
    /// before Linux 6.10 do not acknowledge the end message. An error of the begin message is that of the commit.
    public borrowing func transact(
        _ requests: NetlinkBatch, begin: borrowing NetlinkMessage, end: borrowing NetlinkMessage
    ) throws(NetlinkError) -> NetlinkRejection? {
        guard !requests.isEmpty else { return nil }
        let batch = try requests.bracketed(by: begin, end)
        let first = takeSequenceNumbers(batch.count)
        try channel.send(batch.bytes(of: 0..<batch.count, numberedFrom: first, acknowledged: requests.count))
        var rejection = NetlinkRejection()
        while let replies = try nextReplies(&rejection) {
            for reply in replies where reply.header.type == UInt16(NLMSG_ERROR) {
                let place = reply.header.sequence &- first
                guard place < UInt32(batch.count) else { continue }
                guard let acknowledgement = NetlinkAcknowledgement(reply) else { throw NetlinkError(.malformed) }
                if let error = acknowledgement.error {
                    guard 1...requests.count ~= Int(place) else { throw error }
                    rejection.failures[Int(place) - 1] = error
                    rejection.offsets[Int(place) - 1] = acknowledgement.offset
                }
                if Int(place) == requests.count { return rejection.failures.isEmpty ? nil : rejection }
            }
        }
        // The acknowledgement was lost.
        guard !rejection.failures.isEmpty else { throw NetlinkError(.overrun) }
        return rejection
    }

    /// Waits for replies, until the receive buffer overflows; then, returns those that fit, and nil at the end: the kernel sends all replies of a
    /// transaction during the send.
    private borrowing func nextReplies(_ rejection: inout NetlinkRejection) throws(NetlinkError) -> [NetlinkReply]? {
        do throws(NetlinkError) {
            return try receive(waiting: rejection.isComplete)
        } catch  where error.code == .overrun && rejection.isComplete {
            rejection.isComplete = false
            return []
        }
    }
}

/// The requests that caused the rejection of a transaction; nothing of it was carried out.
public struct NetlinkRejection: Hashable, Sendable {
    /// By the index of the request.
    public var failures: [Int: NetlinkError] = [:]
    /// By the index of the request, where its attribute at fault starts in bytes, if the kernel says.
    public var offsets: [Int: Int] = [:]
    /// False if the receive buffer was too small for the errors of all requests.
    public var isComplete = true
}
