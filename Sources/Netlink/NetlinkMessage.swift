internal import CNetlink

/// A request under construction: header, protocol header and attributes, built by libnl.
///
/// A buffer overflow is reported when the message is added to a batch, so that building needs no `try`.
@safe
public struct NetlinkMessage: ~Copyable {
    private let handle: OpaquePointer
    private var failure: Int32 = 0

    /// - Parameters:
    ///   - type: `nlmsg_type`: the number of a generic netlink family, or an `RTM_*` or subsystem type.
    ///   - flags: `NLM_F_*` in addition to `NLM_F_REQUEST`, which is always set.
    ///   - capacity: in bytes; messages of this program are small.
    public init(type: UInt16, flags: UInt16 = 0, capacity: Int = 512) throws(NetlinkError) {
        guard let handle = unsafe nlmsg_alloc_size(capacity) else { throw NetlinkError(.library(NLE_NOMEM)) }
        unsafe self.handle = handle
        let header = unsafe nlmsg_put(handle, 0, 0, Int32(type), 0, Int32(flags) | NLM_F_REQUEST)
        if unsafe header == nil { failure = NLE_NOMEM }
    }

    deinit { unsafe nlmsg_free(handle) }

    /// Appends the protocol's fixed header, such as `genlmsghdr`, `ifaddrmsg` or `nfgenmsg`.
    public mutating func putHeader<Header: BitwiseCopyable>(_ header: Header) {
        var header = header
        let status = unsafe withUnsafeMutableBytes(of: &header) {
            unsafe nlmsg_append(handle, $0.baseAddress, $0.count, Int32(NLMSG_ALIGNTO))
        }
        note(status)
    }

    public mutating func put(_ attribute: Int, u8 value: UInt8) { note(unsafe nla_put_u8(handle, Int32(attribute), value)) }
    public mutating func put(_ attribute: Int, u16 value: UInt16) { note(unsafe nla_put_u16(handle, Int32(attribute), value)) }
    public mutating func put(_ attribute: Int, u32 value: UInt32) { note(unsafe nla_put_u32(handle, Int32(attribute), value)) }

    /// A 16-bit number in network order; `marked` sets `NLA_F_NET_BYTEORDER`, which ipset requires and IPVS does not support.
    public mutating func put(_ attribute: Int, networkU16 value: UInt16, marked: Bool = false) {
        put(attribute | (marked ? Int(NLA_F_NET_BYTEORDER) : 0), u16: value.bigEndian)
    }

    /// A 32-bit number in network order; `marked` sets `NLA_F_NET_BYTEORDER`.
    public mutating func put(_ attribute: Int, networkU32 value: UInt32, marked: Bool = false) {
        put(attribute | (marked ? Int(NLA_F_NET_BYTEORDER) : 0), u32: value.bigEndian)
    }

    public mutating func put(_ attribute: Int, bytes: [UInt8]) {
        let status = unsafe bytes.withUnsafeBytes { unsafe nla_put(handle, Int32(attribute), Int32($0.count), $0.baseAddress) }
        note(status)
    }

    /// A NUL-terminated string.
    public mutating func put(_ attribute: Int, string: String) {
        put(attribute, bytes: Array(string.utf8) + [0])
    }

    /// Puts the attributes added by `body` in a nested attribute (with `NLA_F_NESTED`, which libnl sets).
    public mutating func nest(_ attribute: Int, _ body: (inout NetlinkMessage) -> Void) {
        guard let start = unsafe nla_nest_start(handle, Int32(attribute)) else {
            failure = NLE_NOMEM
            return
        }
        body(&self)
        note(unsafe nla_nest_end(handle, start))
    }

    private mutating func note(_ status: Int32) {
        if status < 0, failure == 0 { failure = -status }
    }

    /// The message as it will be sent, with sequence number 0.
    public func bytes() throws(NetlinkError) -> [UInt8] {
        var bytes: [UInt8] = []
        try append(to: &bytes)
        return bytes
    }

    /// Appends the message to others, without the padding to four bytes.
    func append(to bytes: inout [UInt8]) throws(NetlinkError) {
        guard failure == 0 else { throw NetlinkError(.library(failure), detail: "message exceeds its buffer") }
        guard let header = unsafe nlmsg_hdr(handle) else { throw NetlinkError(.malformed) }
        let count = unsafe Int(header.pointee.nlmsg_len)
        unsafe bytes.append(contentsOf: UnsafeRawBufferPointer(start: header, count: count))
    }
}
