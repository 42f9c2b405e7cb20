internal import CNetlink

/// `struct nlmsghdr`, the 16 bytes before every message (`linux/netlink.h`).
public struct NetlinkHeader: Hashable, Sendable {
    static let size = 16

    public var length: Int
    public var type: UInt16
    public var flags: UInt16
    public var sequence: UInt32

    /// Nil if `bytes` is shorter than the length in the header.
    init?(_ bytes: ArraySlice<UInt8>) {
        guard bytes.count >= NetlinkHeader.size else { return nil }
        let header = unsafe bytes.withUnsafeBytes { unsafe $0.loadUnaligned(as: nlmsghdr.self) }
        guard header.nlmsg_len >= UInt32(NetlinkHeader.size), Int(header.nlmsg_len) <= bytes.count else { return nil }
        length = Int(header.nlmsg_len)
        type = header.nlmsg_type
        flags = header.nlmsg_flags
        sequence = header.nlmsg_seq
    }

    static func setSequence(_ sequence: UInt32, in bytes: inout [UInt8], at start: Int) {
        unsafe withUnsafeBytes(of: sequence) { number in
            for index in 0..<4 { unsafe bytes[start + 8 + index] = number[index] }
        }
    }

    static func addFlags(_ added: UInt16, in bytes: inout [UInt8], at start: Int) {
        let flags = (hostOrder(bytes[(start + 6)...], as: UInt16.self) ?? 0) | added
        unsafe withUnsafeBytes(of: flags) { number in
            for index in 0..<2 { unsafe bytes[start + 6 + index] = number[index] }
        }
    }
}

/// One message of a reply.
public struct NetlinkReply: Sendable {
    public var header: NetlinkHeader
    /// The bytes after the header.
    public var payload: ArraySlice<UInt8>

    public init(header: NetlinkHeader, payload: ArraySlice<UInt8>) {
        self.header = header
        self.payload = payload
    }

    /// The messages of one received datagram, in order; fails if the last one is truncated.
    static func all(in datagram: [UInt8]) throws(NetlinkError) -> [NetlinkReply] {
        var replies: [NetlinkReply] = []
        var rest = datagram[...]
        // Fewer bytes than a header can only be padding.
        while rest.count >= NetlinkHeader.size {
            guard let header = NetlinkHeader(rest) else { throw NetlinkError(.malformed, detail: "truncated message") }
            let payload = rest.dropFirst(NetlinkHeader.size).prefix(header.length - NetlinkHeader.size)
            rest = rest.dropFirst((header.length + 3) & ~3)
            replies.append(NetlinkReply(header: header, payload: payload))
        }
        return replies
    }
}

/// The content of an `NLMSG_ERROR`: a nil error for an acknowledgement (`struct nlmsgerr`, `linux/netlink.h`).
struct NetlinkAcknowledgement {
    var error: NetlinkError?
    /// Where the attribute at fault starts in the request, in bytes (`NLMSGERR_ATTR_OFFS`); nil if the kernel does not say.
    var offset: Int?

    init?(_ reply: NetlinkReply) {
        guard let number: Int32 = hostOrder(reply.payload) else { return nil }
        guard number != 0 else { return }
        var text: String?
        for attribute in NetlinkAcknowledgement.attributes(reply) {
            switch UInt32(attribute.type) {
            case NLMSGERR_ATTR_MSG.rawValue: text = attribute.string
            case NLMSGERR_ATTR_OFFS.rawValue: offset = attribute.u32.map(Int.init)
            default: break
            }
        }
        error = .kernelNumber(number == .min ? .max : abs(number), detail: text)
    }

    /// The attributes of the extended acknowledgement follow the error number and the echoed part of the request.
    private static func attributes(_ reply: NetlinkReply) -> NetlinkAttributes {
        guard reply.header.flags & UInt16(NLM_F_ACK_TLVS) != 0, let echoed: UInt32 = hostOrder(reply.payload.dropFirst(4)) else {
            return NetlinkAttributes([])
        }
        let capped = reply.header.flags & UInt16(NLM_F_CAPPED) != 0
        let skipped = 4 + (capped ? NetlinkHeader.size : (Int(echoed) + 3) & ~3)
        return NetlinkAttributes(reply.payload.dropFirst(skipped))
    }
}
