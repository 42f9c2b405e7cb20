import CNetlink
import Glibc
import SystemPackage
import Testing

@testable import Netlink

/// The kernel's structures have the same layout on all architectures, except those with a `long`.
@Suite struct `The kernel's structures` {
    struct Layout: CustomTestStringConvertible {
        var name: String
        var size: Int
        var found: Int
        /// The offsets of its fields.
        var offsets: [Int]
        var foundOffsets: [Int?]

        init<Structure>(_ type: Structure.Type, size: Int, _ fields: [(PartialKeyPath<Structure>, Int)]) {
            name = "\(type)"
            self.size = size
            found = MemoryLayout<Structure>.stride
            offsets = fields.map(\.1)
            foundOffsets = fields.map { MemoryLayout<Structure>.offset(of: $0.0) }
        }

        var testDescription: String { name }
    }

    private static let layouts = [
        // linux/netlink.h
        Layout(
            nlmsghdr.self, size: 16,
            [(\.nlmsg_len, 0), (\.nlmsg_type, 4), (\.nlmsg_flags, 6), (\.nlmsg_seq, 8), (\.nlmsg_pid, 12)]),
        Layout(nlmsgerr.self, size: 20, [(\.error, 0), (\.msg, 4)]),
        Layout(nlattr.self, size: 4, [(\.nla_len, 0), (\.nla_type, 2)]),
        Layout(sockaddr_nl.self, size: 12, [(\.nl_family, 0), (\.nl_pid, 4), (\.nl_groups, 8)]),
        // linux/genetlink.h
        Layout(genlmsghdr.self, size: 4, [(\.cmd, 0), (\.version, 1), (\.reserved, 2)]),
        // linux/netfilter/nfnetlink.h
        Layout(nfgenmsg.self, size: 4, [(\.nfgen_family, 0), (\.version, 1), (\.res_id, 2)]),
        // linux/rtnetlink.h
        Layout(
            ifinfomsg.self, size: 16,
            [(\.ifi_family, 0), (\.ifi_type, 2), (\.ifi_index, 4), (\.ifi_flags, 8), (\.ifi_change, 12)]),
        // linux/if_addr.h
        Layout(
            ifaddrmsg.self, size: 8,
            [(\.ifa_family, 0), (\.ifa_prefixlen, 1), (\.ifa_flags, 2), (\.ifa_scope, 3), (\.ifa_index, 4)]),
        // linux/ip_vs.h
        Layout(ip_vs_flags.self, size: 8, [(\.flags, 0), (\.mask, 4)]),
        // The two numbers of SO_RCVTIMEO are longs, as in the kernel's `struct __kernel_old_timeval`.
        Layout(timeval.self, size: 2 * MemoryLayout<Int>.size, [(\.tv_sec, 0), (\.tv_usec, MemoryLayout<Int>.size)]),
        Layout(pollfd.self, size: 8, [(\.fd, 0), (\.events, 4), (\.revents, 6)]),
    ]

    @Test(arguments: layouts) func `have the size and offsets of its headers`(layout: Layout) {
        #expect(layout.found == layout.size)
        #expect(layout.foundOffsets == layout.offsets)
    }

    @Test func `before messages are read and written by hand at the same offsets`() throws {
        #expect(NetlinkHeader.size == MemoryLayout<nlmsghdr>.size)
        let header = nlmsghdr(nlmsg_len: 16, nlmsg_type: 0x0102, nlmsg_flags: 0x0304, nlmsg_seq: 0x0506_0708, nlmsg_pid: 9)
        var bytes = withUnsafeBytes(of: header) { Array($0) }
        var parsed = try #require(NetlinkHeader(bytes[...]))
        #expect(parsed.length == 16 && parsed.type == 0x0102 && parsed.flags == 0x0304 && parsed.sequence == 0x0506_0708)
        NetlinkHeader.setSequence(0x1112_1314, in: &bytes, at: 0)
        NetlinkHeader.addFlags(0x0400, in: &bytes, at: 0)
        let changed = bytes.withUnsafeBytes { $0.load(as: nlmsghdr.self) }
        #expect(changed.nlmsg_len == 16 && changed.nlmsg_type == 0x0102 && changed.nlmsg_flags == 0x0704)
        #expect(changed.nlmsg_seq == 0x1112_1314 && changed.nlmsg_pid == 9)
        parsed = try #require(NetlinkHeader(bytes[...]))
        #expect(parsed.sequence == 0x1112_1314)
    }

    @Test func `for errors are read by hand at the same offsets`() throws {
        let request = nlmsghdr(nlmsg_len: 16, nlmsg_type: 0x20, nlmsg_flags: 5, nlmsg_seq: 7, nlmsg_pid: 0)
        let payload = withUnsafeBytes(of: nlmsgerr(error: -17, msg: request)) { Array($0) }
        let answer = nlmsghdr(nlmsg_len: 36, nlmsg_type: 2, nlmsg_flags: 0x100, nlmsg_seq: 7, nlmsg_pid: 0)
        let reply = try #require(NetlinkReply.all(in: withUnsafeBytes(of: answer) { Array($0) } + payload).first)
        #expect(reply.header.sequence == 7)
        #expect(NetlinkAcknowledgement(reply)?.error?.code == .kernel(.fileExists))
    }
}
