import CNetlink
import Glibc
import Model
import Reconciler
import SystemPackage
import Testing

@testable import KernelDataplane

private func number(_ bytes: [UInt8], at offset: Int) -> UInt32 { bytes[offset..<offset + 4].reversed().reduce(0) { $0 << 8 | UInt32($1) } }

/// Answers the socket options as `do_ip_vs_get_ctl` in net/netfilter/ipvs/ip_vs_ctl.c, with the offsets of linux/ip_vs.h.
private final class OptionKernel {
    struct Service {
        var address: [UInt8] = [10, 96, 0, 1]
        var port: UInt16 = 80
        var mark: UInt32 = 0
        var scheduler = "rr"
        var servers: [KernelServer] = []
        /// The number of real servers of IPv6, which are counted, but not returned.
        var serversOfIPv6: UInt32 = 0

        /// `struct ip_vs_service_entry`, 104 bytes with statistics.
        var entry: [UInt8] {
            let name = Array(scheduler.utf8)
            // TCP, and the flag of a virtual server in the kernel's table.
            return bytes(UInt16(6)) + [0, 0] + address + bytes(port.bigEndian) + [0, 0] + bytes(mark) + name
                + [UInt8](repeating: 0, count: 16 - name.count) + bytes(UInt32(2)) + bytes(UInt32(0)) + [255, 255, 255, 255]
                + bytes(UInt32(servers.count) + serversOfIPv6) + [UInt8](repeating: 0xee, count: 56)
        }
    }

    var services: [Service]
    /// Returned instead of an answer.
    var error: Errno?
    private(set) var calls = 0

    init(_ services: [Service] = []) { self.services = services }

    func read(_ option: Int32, _ value: inout [UInt64], _ length: Int) -> Errno? {
        calls += 1
        if let error { return error }
        let found = value.withUnsafeBytes { Array($0.prefix(length)) }
        switch option {
        case 1154:
            return put(services.map(\.entry), of: 104, limit: number(found, at: 0), after: 8, length, &value)
        case 1156:
            // Protocol at 0, address at 4, port at 8, mark at 12, number of real servers at 16.
            let service = services.first { $0.address == Array(found[4..<8]) && bytes($0.port.bigEndian) == Array(found[8..<10]) }
            guard found[0] == 6, let service else { return .noSuchProcess }
            return put(service.servers.map(\.entryBytes), of: 96, limit: number(found, at: 16), after: 24, length, &value)
        default: return .invalidArgument
        }
    }

    private func put(
        _ entries: [[UInt8]], of size: Int, limit: UInt32, after header: Int, _ length: Int, _ value: inout [UInt64]
    ) -> Errno? {
        guard length == header + Int(limit) * size else { return .invalidArgument }
        value.withUnsafeMutableBytes { value in
            for (index, entry) in entries.prefix(Int(limit)).enumerated() {
                UnsafeMutableRawBufferPointer(rebasing: value[(header + index * size)...]).copyBytes(from: entry)
            }
        }
        return nil
    }
}

private let location = AddressPort(IPAddress(v4: 0x0a60_0001), 80)

/// Comparing the kernel state through socket options, as audits do.
@Suite struct `Virtual servers of socket options` {
    private let expected = NodeState(virtualServers: [
        VirtualServer(.init(.tcp, location), realServers: [RealServer(AddressPort(IPAddress(v4: 0x0af4_0005), 8080))])
    ])

    private func findings(_ services: [OptionKernel.Service]) throws -> Findings {
        try #require(IPVSSocketOptions(read: OptionKernel(services).read).compareHeaders(with: expected))
    }

    @Test func `that are as expected are no finding`() throws {
        let marked = OptionKernel.Service(address: [0, 0, 0, 0], port: 0, mark: 7)
        #expect(try findings([.init(servers: [KernelServer()]), marked]) == Findings())
    }

    @Test func `are found if they differ, are missing, or have another number of real servers`() throws {
        let identity = VirtualServer.Identity(.tcp, location)
        #expect(try findings([.init(scheduler: "mh", servers: [KernelServer()])]).mismatches == .init(virtualServers: [identity]))
        #expect(try findings([]).mismatches == .init(virtualServers: [identity]))
        #expect(try findings([.init()]).mismatches == .init(realServers: [identity]))
        #expect(try findings([.init(servers: [KernelServer()], serversOfIPv6: 1)]).mismatches == .init(realServers: [identity]))
    }

    @Test func `of others are found, however many there are`() throws {
        let others = (0..<1000).map { OptionKernel.Service(address: [10, 97, UInt8($0 / 250), UInt8($0 % 250)]) }
        let found = try findings(others + [.init(servers: [KernelServer()])])
        #expect(found.mismatches.isEmpty && found.unexpected.count == 1000)
        #expect(found.unexpected.first?.identity.location == AddressPort(IPAddress(v4: 0x0a61_0000), 80))
    }
}

@Suite struct `Real servers of socket options` {
    private let servers = [
        RealServer(AddressPort(IPAddress(v4: 0x0af4_0005), 8080)),
        RealServer(
            AddressPort(IPAddress(v4: 0x0af4_0006), 8080), weight: 7, forwarding: .directRoute, upperThreshold: 9, lowerThreshold: 4),
    ]
    private let found = [
        KernelServer(active: 5, inactive: 6, persistent: 7),
        KernelServer(address: [10, 244, 0, 6], flags: 3, weight: 7, upperThreshold: 9, lowerThreshold: 4),
    ]

    private func isEqual(_ found: [KernelServer]) -> Bool? {
        let options = IPVSSocketOptions(read: OptionKernel([.init(servers: found)]).read)
        return options.hasExpectedRealServers(VirtualServer(.init(.tcp, location), realServers: servers))
    }

    @Test func `are compared without connections and order`() { #expect(isEqual(found.reversed()) == true) }

    @Test func `differ if one is changed, missing or not expected`() {
        #expect(isEqual([found[0]]) == false)
        #expect(isEqual([]) == false)
        #expect(isEqual(found + [KernelServer(address: [10, 244, 0, 7])]) == false)
        var changed = found
        changed[1].weight = 6
        #expect(isEqual(changed) == false)
        changed[1] = found[1]
        changed[0].port = 8081
        #expect(isEqual(changed) == false)
    }

    @Test func `of a virtual server that does not exist are none`() {
        let options = IPVSSocketOptions(read: OptionKernel().read)
        #expect(options.hasExpectedRealServers(VirtualServer(.init(.tcp, location), realServers: servers)) == false)
        #expect(options.hasExpectedRealServers(VirtualServer(.init(.tcp, location))) == true)
        #expect(options.isSupported)
    }

    @Test func `of IPv6 are not read`() throws {
        let kernel = OptionKernel()
        let options = IPVSSocketOptions(read: kernel.read)
        let server = VirtualServer(.init(.tcp, AddressPort(try #require(IPAddress("fd00::1")), 80)))
        #expect(options.hasExpectedRealServers(server) == nil && options.isSupported && kernel.calls == 0)
    }
}

@Suite struct `The use of socket options` {
    private let server = VirtualServer(.init(.tcp, location))
    private let kernel = OptionKernel([.init()])

    @Test(arguments: [EINVAL, ENOPROTOOPT, EPERM, EOPNOTSUPP]) func `ends with an error of a kernel that has none`(errno: Int32) {
        let options = IPVSSocketOptions(read: kernel.read)
        kernel.error = Errno(rawValue: errno)
        #expect(options.hasExpectedRealServers(server) == nil && !options.isSupported)
        kernel.error = nil
        #expect(options.hasExpectedRealServers(server) == nil)
        #expect(options.compareHeaders(with: NodeState(virtualServers: [server])) == nil && kernel.calls == 1)
    }

    @Test(arguments: [ENOMEM, EMFILE, ENOENT]) func `continues after any other error`(errno: Int32) {
        let options = IPVSSocketOptions(read: kernel.read)
        kernel.error = Errno(rawValue: errno)
        #expect(options.hasExpectedRealServers(server) == nil)
        #expect(options.compareHeaders(with: NodeState(virtualServers: [server])) == nil)
        kernel.error = nil
        #expect(options.hasExpectedRealServers(server) == true)
        #expect(options.compareHeaders(with: NodeState(virtualServers: [server])) == Findings())
    }

    @Test func `keeps no memory after a comparison`() {
        let options = IPVSSocketOptions(read: kernel.read)
        _ = options.compareHeaders(with: NodeState(virtualServers: [server]))
        #expect(!options.buffer.isEmpty)
        options.freeBuffer()
        #expect(options.buffer.isEmpty)
    }
}
