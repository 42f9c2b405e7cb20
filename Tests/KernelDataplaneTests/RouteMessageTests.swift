import CNetlink
import Model
import Testing

@testable import KernelDataplane
@testable import Netlink

/// The bytes follow from `linux/rtnetlink.h` and `linux/if_link.h`.
@Suite struct `Requests for local routes` {
    private func hex(_ message: borrowing NetlinkMessage) throws -> String {
        try message.bytes().map { byte in
            let text = String(byte, radix: 16)
            return text.count == 1 ? "0\(text)" : text
        }.joined()
    }

    private func address(_ text: String) throws -> IPAddress { try #require(IPAddress(text)) }

    // length, type 0x18 (RTM_NEWROUTE), flags REQUEST|REPLACE|CREATE, sequence and port; rtmsg: family, 32, 0, 0, table 255, protocol 118,
    // scope host, type local, flags; RTA_DST, RTA_OIF, RTA_PRIORITY, RTA_PREFSRC
    @Test func `replace a route of IPv4 with its source`() throws {
        let message = try RouteMessages.replace(address("10.96.0.10"), LocalRoute(source: address("10.99.0.2")), interface: 7)
        #expect(
            try hex(message) == "3c000000" + "1800" + "0105" + "0000000000000000" + "02200000" + "ff76fe02" + "00000000"
                + "080001000a60000a"
                + "0800040007000000" + "0800060076000000" + "080007000a630002")
    }

    @Test func `replace a route of IPv6 without a source`() throws {
        let message = try RouteMessages.replace(address("fd00:96::10"), LocalRoute(), interface: 7)
        #expect(
            try hex(message) == "40000000" + "1800" + "0105" + "0000000000000000" + "0a800000" + "ff760002" + "00000000"
                + "14000100fd000096000000000000000000000010" + "0800040007000000" + "0800060076000000")
    }

    @Test func `delete a route whatever its source is`() throws {
        let message = try RouteMessages.delete(address("10.96.0.10"), interface: 7)
        #expect(
            try hex(message) == "34000000" + "1900" + "0100" + "0000000000000000" + "02200000" + "ff76fe02" + "00000000"
                + "080001000a60000a"
                + "0800040007000000" + "0800060076000000")
    }

    @Test func `dump our routes over one interface`() throws {
        let message = try RouteMessages.dump(.ipv4, of: .proxy, over: 7)
        #expect(
            try hex(message) == "24000000" + "1a00" + "0103" + "0000000000000000" + "02000000" + "ff760002" + "00000000"
                + "0800040007000000")
    }

    @Test func `set the device up without a link-local address`() throws {
        #expect(
            try hex(InterfaceMessages.setAddressGeneration(off: 7))
                == "30000000" + "1000" + "0100" + "0000000000000000" + "00000000" + "07000000" + "00000000" + "00000000" + "10001a80"
                + "0c000a80"
                + "0500080001000000")
        #expect(
            try hex(InterfaceMessages.setUp(7))
                == "20000000" + "1000" + "0100" + "0000000000000000" + "00000000" + "07000000" + "01000000" + "01000000")
    }

    /// A reply: header of `rtmsg` and attributes of the route above.
    private func route(_ change: (inout [UInt8]) -> Void = { _ in }) throws -> InterfaceRoute? {
        var bytes = try RouteMessages.replace(address("10.96.0.10"), LocalRoute(source: address("10.99.0.2")), interface: 7).bytes()
        change(&bytes)
        return try NetlinkReply.all(in: bytes).first.flatMap { InterfaceRoute($0, of: .proxy) }
    }

    @Test func `are read as they were written`() throws {
        let found = try #require(try route())
        #expect(try found.interface == 7 && found.destination == address("10.96.0.10") && found.source == address("10.99.0.2"))
    }

    /// The offset of a byte in the message and its other value.
    @Test(arguments: [(17, 24), (20, 254), (21, 2), (23, 1), (48, 0)] as [(Int, UInt8)])
    func `of others are not ours: another length, table, protocol, type or metric`(change: (offset: Int, value: UInt8)) throws {
        #expect(try route { $0[change.offset] = change.value } == nil)
    }

    @Test(arguments: [(0x80, false), (0xc0, true)] as [(UInt8, Bool)])
    func `know from an address whether its kernel route may be missing, as it is tentative`(flags: UInt8, isTentative: Bool) throws {
        var bytes = try InterfaceMessages.newAddress(address("fd00:96::10"), interface: 7).bytes()
        bytes[18] = flags
        let found = try #require(try NetlinkReply.all(in: bytes).first.flatMap { InterfaceAddress($0) })
        #expect(found.isTentative == isTentative)
    }
}
