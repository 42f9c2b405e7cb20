internal import CNetlink

/// Requests that are sent to the kernel together, in order, and fail individually.
public struct NetlinkBatch: Sendable {
    /// All messages, each padded to four bytes, with sequence numbers 0, 1, 2…
    private(set) var bytes: [UInt8] = []
    /// Where each message starts.
    private(set) var offsets: [Int] = []

    public init() {}

    public var count: Int { offsets.count }
    public var isEmpty: Bool { offsets.isEmpty }

    public mutating func add(_ message: borrowing NetlinkMessage) throws(NetlinkError) {
        let start = bytes.count
        try message.append(to: &bytes)
        offsets.append(start)
        while bytes.count % Int(NLMSG_ALIGNTO) != 0 { bytes.append(0) }
    }

    /// The message with this index, which starts with its header.
    public func message(_ index: Int) -> ArraySlice<UInt8> {
        bytes[offsets[index]..<(index + 1 < offsets.count ? offsets[index + 1] : bytes.count)]
    }

    /// The length of all messages in bytes.
    public var byteCount: Int { bytes.count }

    /// Whether the first message requests a dump.
    var isDump: Bool {
        guard let header = offsets.first.flatMap({ NetlinkHeader(bytes[$0...]) }) else { return false }
        return header.flags & UInt16(NLM_F_DUMP) == UInt16(NLM_F_DUMP)
    }

    /// The batch between two messages.
    func bracketed(by begin: borrowing NetlinkMessage, _ end: borrowing NetlinkMessage) throws(NetlinkError) -> NetlinkBatch {
        var bracketed = NetlinkBatch()
        try bracketed.add(begin)
        let start = bracketed.bytes.count
        bracketed.offsets += offsets.map { $0 + start }
        bracketed.bytes += bytes
        try bracketed.add(end)
        return bracketed
    }

    /// The ranges of messages for one send each. A message that exceeds the limit of bytes is alone in its send, which the kernel rejects.
    func chunks(_ buffers: NetlinkBuffers) -> [Range<Int>] {
        var chunks: [Range<Int>] = []
        var start = 0
        for index in offsets.indices {
            let end = index + 1 < offsets.count ? offsets[index + 1] : bytes.count
            if index > start, end - offsets[start] > buffers.bytesPerSend || index - start >= buffers.messagesPerSend {
                chunks.append(start..<index)
                start = index
            }
        }
        if start < offsets.count { chunks.append(start..<offsets.count) }
        return chunks
    }

    /// The bytes of some messages, numbered from `sequence`; the last one, or the one at `acknowledged`, requests an acknowledgement.
    ///
    /// The kernel processes the messages of a send in order and always reports errors, so the acknowledgement of the last message means
    /// that all are done (`netlink_rcv_skb`, net/netlink/af_netlink.c).
    func bytes(of chunk: Range<Int>, numberedFrom sequence: UInt32, acknowledged: Int? = nil) -> [UInt8] {
        let end = chunk.upperBound < offsets.count ? offsets[chunk.upperBound] : bytes.count
        var slice = Array(bytes[offsets[chunk.lowerBound]..<end])
        for (number, index) in chunk.enumerated() {
            let start = offsets[index] - offsets[chunk.lowerBound]
            NetlinkHeader.setSequence(sequence &+ UInt32(number), in: &slice, at: start)
            if index == acknowledged ?? chunk.upperBound - 1 { NetlinkHeader.addFlags(UInt16(NLM_F_ACK), in: &slice, at: start) }
        }
        return slice
    }
}
