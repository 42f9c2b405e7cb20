internal import CNetlink

extension NetlinkSocket {
    /// Sends a request between the two messages that make a transaction of it, as nfnetlink wants its changes, and waits until it is carried out.
    ///
    /// - Parameter request: must ask for an acknowledgement (`NLM_F_ACK`): older kernels have none for the end (before Linux 6.10).
    public borrowing func transact(
        _ request: borrowing NetlinkMessage, begin: borrowing NetlinkMessage, end: borrowing NetlinkMessage
    ) throws(NetlinkError) {
        var batch = NetlinkBatch()
        try batch.add(begin)
        try batch.add(request)
        try batch.add(end)
        let first = takeSequenceNumbers(batch.count)
        try channel.send(batch.bytes(of: 0..<batch.count, numberedFrom: first))
        while true {
            for reply in try receive() where reply.header.type == UInt16(NLMSG_ERROR) {
                let place = reply.header.sequence &- first
                guard place < UInt32(batch.count) else { continue }
                guard let acknowledgement = NetlinkAcknowledgement(reply) else { throw NetlinkError(.malformed) }
                // An error of any of the three means that nothing was done; the request's own answer is the only good one.
                if let error = acknowledgement.error { throw error }
                if place == 1 { return }
            }
        }
    }
}
