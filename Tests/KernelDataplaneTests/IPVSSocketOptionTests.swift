import CNetlink
import Glibc
import Model
import Reconciler
import Testing

@testable import KernelDataplane
@testable import Netlink

func bytes(_ value: some FixedWidthInteger) -> [UInt8] { withUnsafeBytes(of: value) { Array($0) } }

/// One real server as the kernel returns it.
struct KernelServer {
    var address: [UInt8] = [10, 244, 0, 5]
    var port: UInt16 = 8080
    var flags: UInt32 = 0
    var weight: UInt32 = 1
    var upperThreshold: UInt32 = 0
    var lowerThreshold: UInt32 = 0
    var active: UInt32 = 0
    var inactive: UInt32 = 0
    var persistent: UInt32 = 0

    /// `struct ip_vs_dest_entry`, 96 bytes with padding and statistics.
    var entryBytes: [UInt8] {
        let fields =
            address + bytes(port.bigEndian) + [0, 0] + bytes(flags) + bytes(weight) + bytes(upperThreshold) + bytes(lowerThreshold)
            + bytes(active) + bytes(inactive) + bytes(persistent) + [0, 0, 0, 0]
        // Statistics, which are ignored.
        return fields + [UInt8](repeating: 0xee, count: 56)
    }

    var entry: ip_vs_dest_entry { entryBytes.withUnsafeBytes { $0.loadUnaligned(as: ip_vs_dest_entry.self) } }

    /// `IPVS_CMD_NEW_DEST`.
    func reply() throws -> NetlinkReply {
        var message = try NetlinkMessage(type: 0x1f)
        message.putHeader(UInt32(0x0000_0105))
        message.nest(Int(IPVS_CMD_ATTR_DEST)) { message in
            message.put(Int(IPVS_DEST_ATTR_ADDR), bytes: address + [UInt8](repeating: 0, count: 12))
            message.put(Int(IPVS_DEST_ATTR_PORT), networkU16: port)
            message.put(Int(IPVS_DEST_ATTR_FWD_METHOD), u32: flags)
            message.put(Int(IPVS_DEST_ATTR_WEIGHT), u32: weight)
            message.put(Int(IPVS_DEST_ATTR_U_THRESH), u32: upperThreshold)
            message.put(Int(IPVS_DEST_ATTR_L_THRESH), u32: lowerThreshold)
            message.put(Int(IPVS_DEST_ATTR_ACTIVE_CONNS), u32: active)
            message.put(Int(IPVS_DEST_ATTR_INACT_CONNS), u32: inactive)
            message.put(Int(IPVS_DEST_ATTR_PERSIST_CONNS), u32: persistent)
            message.put(Int(IPVS_DEST_ATTR_ADDR_FAMILY), u16: UInt16(AF_INET))
        }
        return try #require(NetlinkReply.all(in: try message.bytes()).first)
    }
}

@Suite struct `The socket options of IPVS` {
    /// Flags of connections besides the forwarding method are ignored.
    private static let servers = [
        KernelServer(), KernelServer(address: [255, 1, 2, 3]), KernelServer(port: 65535), KernelServer(flags: 3),
        KernelServer(flags: 0x102),
        KernelServer(flags: 7), KernelServer(weight: 0), KernelServer(weight: UInt32(Int32.max)),
        KernelServer(upperThreshold: 100, lowerThreshold: 50), KernelServer(active: 1, inactive: 2, persistent: 3),
    ]

    @Test(arguments: servers.indices) func `return the same real server as netlink`(index: Int) throws {
        let server = Self.servers[index]
        let netlink = try #require(IPVSDestination(try server.reply(), serviceFamily: .ipv4)).realServer
        let found = RealServer(server.entry)
        #expect(found.hasSameConfiguration(as: netlink) && found.connections == nil)
    }

    @Test func `have the layout of linux/ip_vs.h`() {
        #expect(MemoryLayout<ip_vs_get_services>.stride == 8 && MemoryLayout<ip_vs_get_dests>.stride == 24)
        #expect(MemoryLayout<ip_vs_service_entry>.stride == 104 && MemoryLayout<ip_vs_dest_entry>.stride == 96)
        #expect(MemoryLayout<ip_vs_dest_entry>.offset(of: \.persistconns) == 32)
        #expect(
            MemoryLayout<ip_vs_service_entry>.offset(of: \.sched_name) == 16
                && MemoryLayout<ip_vs_service_entry>.offset(of: \.num_dests) == 44)
        #expect([CNETLINK_IP_VS_SO_GET_SERVICES, CNETLINK_IP_VS_SO_GET_DESTS] == [1154, 1156])
    }

    @Test func `return the same virtual server as netlink`() throws {
        var entry = ip_vs_service_entry()
        entry.protocol = UInt16(IPPROTO_TCP)
        entry.addr = UInt32(0x0a60_000a).bigEndian
        entry.port = UInt16(80).bigEndian
        (entry.sched_name.0, entry.sched_name.1) = (CChar(UInt8(ascii: "m")), CChar(UInt8(ascii: "h")))
        // persistent, hashed by the kernel, mh-port
        entry.flags = 0x1 | 0x2 | 0x10
        entry.timeout = 60
        entry.netmask = UInt32(0xffff_ff00).bigEndian
        let location = AddressPort(IPAddress(v4: 0x0a60_000a), 80)
        let expected = VirtualServer(
            .init(.tcp, location), scheduler: .maglevHash, flags: [.persistent, .hashPort], timeout: 60, affinityPrefix: 24)
        #expect(IPVSService(entry).virtualServer == expected)
        entry.fwmark = 7
        #expect(IPVSService(entry).key == .firewallMark(7, .ipv4) && IPVSService(entry).virtualServer == nil)
    }
}
