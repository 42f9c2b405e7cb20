import Model
import Testing

@testable import StatusTable

@Suite struct `The listing of virtual servers` {
    private func service(_ transport: UInt16, _ address: String, _ port: UInt16, statistics: IPVSStatistics = .init()) throws -> IPVSService
    {
        IPVSService(
            key: .address(protocolNumber: transport, AddressPort(try #require(IPAddress(address)), port)), scheduler: "rr", flags: 0x2,
            timeout: 0, netmask: .max, statistics: statistics)
    }

    private func destination(_ text: String, _ port: UInt16, active: UInt32 = 0) throws -> IPVSDestination {
        IPVSDestination(
            location: AddressPort(try #require(IPAddress(text)), port), forwarding: 0, weight: 1,
            connections: .init(active: active, inactive: 2))
    }

    @Test func `has ipvsadm's layout`() throws {
        var web = try service(6, "10.96.0.1", 443)
        (web.scheduler, web.flags, web.timeout) = ("mh", 0x1b, 10800)
        web.destinations = [try destination("10.99.0.1", 6443, active: 3)]
        var six = try service(132, "fd00::1", 9)
        (six.netmask, six.destinations) = (128, [try destination("fd00:244::5", 9009)])
        let marked = IPVSService(key: .firewallMark(7, .ipv4), scheduler: "lc", flags: 0x2, timeout: 0, netmask: .max)
        #expect(
            IPVSListing([marked, web, six]).text(IPVSInfo(version: 0x10201, connectionTableSize: 4096)) == """
                IP Virtual Server version 1.2.1 (size=4096)
                Prot LocalAddress:Port Scheduler Flags
                  -> RemoteAddress:Port           Forward Weight ActiveConn InActConn
                TCP  10.96.0.1:443 mh (mh-fallback,mh-port) persistent 10800
                  -> 10.99.0.1:6443               Masq    1      3          2         
                SCTP [fd00::1]:9 rr
                  -> [fd00:244::5]:9009           Masq    1      0          2         
                FWM  7 lc

                """)
    }

    /// The output of ipvsadm 1.31 for these kernel counters.
    @Test func `abbreviates large numbers with units, and wraps around where ipvsadm does`() throws {
        var large = IPVSStatistics()
        (large.connections, large.inPackets, large.outPackets) = (100_000_000_000, 123_456_789, 99_999_999_999)
        (large.inBytes, large.outBytes) = (12_345_678, 1_000_000_000)
        var larger = IPVSStatistics()
        (larger.connections, larger.inPackets, larger.outPackets) = (100_000_000, .max, 99_999_999)
        (larger.inBytes, larger.outBytes) = (100_000_000_000_000, 7)
        var first = try service(6, "10.0.0.2", 80, statistics: large)
        var server = try destination("10.0.0.9", 8080)
        server.statistics = larger
        (server.statistics.connectionRate, server.statistics.inPacketRate) = (100_000_000_000, 123_456_789)
        (server.statistics.outPacketRate, server.statistics.inByteRate, server.statistics.outByteRate) = (
            99_999_999_999, 12_345_678, 1_000_000_000
        )
        first.destinations = [server]
        let table = [first, try service(17, "10.0.0.3", 5060, statistics: larger)]
        #expect(
            IPVSListing(table, columns: .statistics(isExact: false)).text(nil) == """
                Prot LocalAddress:Port               Conns   InPkts  OutPkts  InBytes OutBytes
                  -> RemoteAddress:Port
                TCP  10.0.0.2:80                      100G  123456K   99999M 12345678    1000M
                  -> 10.0.0.9:8080                 100000K    4294M 99999999     100T        7
                UDP  10.0.0.3:5060                 100000K18446744T 99999999     100T        7

                """)
        #expect(
            IPVSListing(table, columns: .statistics(isExact: true)).text(nil) == """
                Prot LocalAddress:Port               Conns   InPkts  OutPkts  InBytes OutBytes
                  -> RemoteAddress:Port
                TCP  10.0.0.2:80                  100000000000 123456789 99999999999 12345678 1000000000
                  -> 10.0.0.9:8080                100000000 4294967295 99999999 100000000000000        7
                UDP  10.0.0.3:5060                100000000 18446744073709551615 99999999 100000000000000        7

                """)
        #expect(
            IPVSListing([first], columns: .rates(isExact: false)).text(nil).split(separator: "\n").last
                == "  -> 10.0.0.9:8080                1215752192 123456789 1215752191 12345678    1000M")
    }

    /// The output of ipvsadm 1.31 for virtual servers created with `-b flag-1`, `-b flag-2` and so on.
    @Test(
        arguments: [
            ("rr", 0b000, "", ""), ("rr", 0b001, " (flag-1)", " -b flag-1"), ("rr", 0b010, " (flag-2)", " -b flag-2"),
            ("rr", 0b011, " (flag-1,flag-2)", " -b flag-1,flag-2"), ("rr", 0b100, " (flag-3)", " -b flag-3"),
            ("rr", 0b101, " (flag-1,flag-3)", " -b flag-1,flag-3"), ("rr", 0b110, " (flag-2,flag-3)", " -b flag-2,flag-3"),
            ("rr", 0b111, " (flag-1,flag-2,flag-3)", " -b flag-1,flag-2,flag-3"),
            ("sh", 0b000, "", ""), ("sh", 0b001, " (sh-fallback)", " -b sh-fallback"), ("sh", 0b010, " (sh-port)", " -b sh-port"),
            ("sh", 0b011, " (sh-fallback,sh-port)", " -b sh-fallback,sh-port"), ("sh", 0b100, " ()", " -b "),
            ("sh", 0b101, " (sh-fallback)", " -b sh-fallback"), ("sh", 0b110, " (sh-port)", " -b sh-port"),
            ("sh", 0b111, " (sh-fallback,sh-port)", " -b sh-fallback,sh-port"),
            ("mh", 0b000, "", ""), ("mh", 0b001, " (mh-fallback)", " -b mh-fallback"), ("mh", 0b010, " (mh-port)", " -b mh-port"),
            ("mh", 0b011, " (mh-fallback,mh-port)", " -b mh-fallback,mh-port"), ("mh", 0b100, " ()", " -b "),
            ("mh", 0b101, " (mh-fallback)", " -b mh-fallback"), ("mh", 0b110, " (mh-port)", " -b mh-port"),
            ("mh", 0b111, " (mh-fallback,mh-port)", " -b mh-fallback,mh-port"),
        ] as [(String, UInt32, String, String)])
    func `prints each scheduler's flags like ipvsadm`(scheduler: String, bits: UInt32, listed: String, saved: String) throws {
        var web = try service(6, "192.0.2.1", 80)
        (web.scheduler, web.flags) = (scheduler, 0x2 | bits << 3)
        #expect(IPVSListing([web]).text(nil).split(separator: "\n").last.map(String.init) == "TCP  192.0.2.1:80 \(scheduler)\(listed)")
        #expect(IPVSSave([web], isSorted: true, isComplete: false).text == "-A -t 192.0.2.1:80 -s \(scheduler)\(saved)\n")
        // The complete form loses nothing when the table is restored.
        let complete = IPVSSave([web], isSorted: true, isComplete: true).text
        #expect(complete.contains("flag-3") == (bits & 0b100 != 0) && !complete.hasSuffix("-b \n"))
    }

    /// The output of ipvsadm 1.31 for a virtual server created with `-p 300 -M 255.255.255.0 --pe sip -o -b flag-3`.
    @Test func `has flags, persistence, engine and one-packet scheduling in ipvsadm's order`() throws {
        var web = try service(17, "192.0.2.1", 80)
        (web.scheduler, web.flags, web.timeout, web.netmask) = ("mh", 0x2 | 0x1 | 0x4 | 0x20, 300, 0xffff_ff00)
        web.persistenceEngine = "sip"
        #expect(
            IPVSListing([web]).text(nil).split(separator: "\n").last
                == "UDP  192.0.2.1:80 mh () persistent 300 mask 255.255.255.0 pe sip ops")
        #expect(
            IPVSSave([web], isSorted: true, isComplete: false).text
                == "-A -u 192.0.2.1:80 -s mh -p 300 -M 255.255.255.0 --pe sip -o -b \n")
    }

    @Test func `is in ipvsadm's order, in which addresses wrap around`() throws {
        let services = try ["10.96.0.10", "192.0.2.9", "10.96.0.9"].map { try service(17, $0, 53) }
        let listed = IPVSOrder.sorted(services).compactMap { $0.key.identity?.location.description }
        #expect(listed == ["192.0.2.9:53", "10.96.0.9:53", "10.96.0.10:53"])
    }
}

@Suite struct `The saved table` {
    @Test func `has the fields that ipvsadm omits, unless ipvsadm's output is requested`() throws {
        let server = IPVSDestination(
            location: AddressPort(try #require(IPAddress("192.0.2.9")), 0), forwarding: 2, weight: 3, upperThreshold: 10, lowerThreshold: 5,
            tunnel: IPVSTunnel(kind: .gue, port: 6080, flags: [.remoteChecksum]))
        let service = IPVSService(
            key: .firewallMark(4_000_000_000, .ipv4), scheduler: "sh", flags: 0x1b, timeout: 300, netmask: 0xffff_ff00,
            destinations: [server])
        #expect(
            IPVSSave([service], isSorted: true, isComplete: true).text == """
                -A -f 4000000000 -s sh -p 300 -M 255.255.255.0 -b sh-fallback,sh-port
                -a -f 4000000000 -r 192.0.2.9:0 -i -w 3 -x 10 -y 5 --tun-type gue --tun-port 6080 --tun-remcsum

                """)
        #expect(
            IPVSSave([service], isSorted: true, isComplete: false).text == """
                -A -f -294967296 -s sh -p 300 -M 255.255.255.0 -b sh-fallback,sh-port
                -a -f -294967296 -r 192.0.2.9:0 -i -w 3 --tun-type gue --tun-port 6080 --tun-remcsum

                """)
    }
}

@Suite struct `A connection` {
    @Test(arguments: [
        (
            "UDP 0A000002 2EE1 0A000002 0035 0A000009 1F90 UDP             289",
            "UDP 04:49  UDP         10.0.0.2:12001     10.0.0.2:53        10.0.0.9:8080\n"
        ),
        (
            "IP  0A000003 0000 00000007 0000 0A000009 0000 NONE            188",
            "IP  03:08  NONE        10.0.0.3:0         0.0.0.7:0          10.0.0.9:0\n"
        ),
        (
            "TCP fd00:0000:0000:0000:0000:0000:0000:0002 EBE6 fd00:0000:0000:0000:0000:0000:0000:0002 0050 fd00:1234:5678:9abc:def0:1234:5678:9abd 1F90 TIME_WAIT       107",
            "TCP 01:47  TIME_WAIT   [fd00::2]:60390    [fd00::2]:80       [fd00:1234:5678:9abc:def0:1234:5678:9abd]:8080\n"
        ),
    ]) func `is read from the kernel's list and printed like ipvsadm`(line: String, expected: String) throws {
        #expect(try #require(IPVSConnection(line)).text(withEngines: false) == expected)
    }

    @Test(arguments: ["Pro FromIP   FPrt ToIP     TPrt DestIP   DPrt State       Expires PEName PEData", "", "TCP x 1 y 2 z 3 s 4"])
    func `is not read from any other line`(line: String) { #expect(IPVSConnection(line) == nil) }
}
