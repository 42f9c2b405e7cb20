import Model
import TestSupport
import Testing

@Suite struct `IP addresses` {
    @Test(arguments: [
        ("10.96.0.1", "10.96.0.1"), ("0.0.0.0", "0.0.0.0"), ("255.255.255.255", "255.255.255.255"), ("172.30.0.041", "172.30.0.41"),
        ("010.180.00.001", "10.180.0.1"), ("fd00::1", "fd00::1"), ("FD00:0:0:0:0:0:0:1", "fd00::1"), ("::", "::"), ("::1", "::1"),
        ("2001:db8:0:0:1:0:0:1", "2001:db8::1:0:0:1"), ("2001:db8:0:1:1:1:1:1", "2001:db8:0:1:1:1:1:1"), ("1::", "1::"),
        ("::ffff:10.0.0.1", "10.0.0.1"), ("::ffff:a00:1", "10.0.0.1"), ("64:ff9b::1.2.3.4", "64:ff9b::102:304"),
        ("1:2:3:4:5:6:7::", "1:2:3:4:5:6:7:0"),
    ])
    func `are parsed as by Kubernetes and formatted per RFC 5952`(text: String, canonical: String) throws {
        #expect(try #require(IPAddress(text)).description == canonical)
    }

    @Test(arguments: [
        "", "1.2.3", "1.2.3.4.5", "1.2.3.256", "1.2.3.", "1..2.3", "1.2.3.4 ", "1.2.3.0x4", "00001.2.3.4", ":", ":::", "1::2::3",
        "1:2:3:4:5:6:7", "12345::",
        "1:2:3:4:5:6:7:8:9", "::1%eth0", "fd00::1/64", "[::1]", "1.2.3.4::", "::1.2.3", "1:2:3:4:5:6:7:1.2.3.4", "g::", ":1:2:3:4:5:6:7",
        "１.2.3.4",
    ])
    func `that are not addresses are refused`(text: String) {
        #expect(IPAddress(text) == nil)
    }

    @Test func `stay the same when converted to text or bytes and back`() throws {
        var generator = SeededGenerator(seed: 1)
        for _ in 0..<2000 {
            let isV4 = Bool.random(using: &generator)
            let bytes = (0..<(isV4 ? 4 : 16)).map { _ in Bool.random(using: &generator) ? UInt8.random(in: 0...255, using: &generator) : 0 }
            let address = try #require(IPAddress(bytes: bytes))
            #expect(IPAddress(address.description) == address)
            #expect(IPAddress(bytes: address.bytes) == address)
        }
    }

    @Test func `have the properties of their kind`() throws {
        let kinds: [(String, (IPAddress) -> Bool)] = [
            ("127.3.4.5", \.isLoopback), ("::1", \.isLoopback), ("169.254.1.1", \.isLinkLocal), ("fe80::1", \.isLinkLocal),
            ("224.0.0.1", \.isMulticast),
            ("ff02::1", \.isMulticast), ("0.1.2.3", \.isReserved), ("255.255.255.255", \.isReserved),
            ("0.0.0.0", \.isUnspecified), ("::", \.isUnspecified),
        ]
        for (text, isKind) in kinds {
            let address = try #require(IPAddress(text))
            #expect(isKind(address), "\(text)")
        }
        let plain = try #require(IPAddress("10.0.0.1"))
        #expect(!plain.isLoopback && !plain.isLinkLocal && !plain.isMulticast && !plain.isUnspecified && !plain.isReserved)
        #expect(try #require(IPAddress("240.0.0.1")).isUnusableForServices == false)
    }

    @Test func `advance with carry`() throws {
        #expect(try #require(IPAddress("10.0.0.255")).advanced(by: 1).description == "10.0.1.0")
        #expect(try #require(IPAddress("fd00::ffff:ffff:ffff:ffff")).advanced(by: 1).description == "fd00:0:0:1::")
    }
}

@Suite struct `Address ranges` {
    @Test(arguments: [
        ("10.1.2.3/8", "10.0.0.0/8"), ("203.0.113.000/025", "203.0.113.0/25"), ("fd00::1/64", "fd00::/64"), ("0.0.0.0/0", "0.0.0.0/0"),
        ("1.2.3.4/32", "1.2.3.4/32"), ("fd00:1:2:3:4::/65", "fd00:1:2:3::/65"),
    ])
    func `lose their host bits`(text: String, canonical: String) throws {
        #expect(try #require(CIDR(text)).description == canonical)
    }

    @Test(arguments: ["10.0.0.0", "10.0.0.0/33", "fd00::/129", "10.0.0.0/-1", "10.0.0.0/", "/8", "a/8", "10.0.0.0/8/8"])
    func `that are invalid are refused`(text: String) {
        #expect(CIDR(text) == nil)
    }

    @Test func `contain the addresses with their prefix`() throws {
        let pods = try #require(CIDR("10.244.0.0/16"))
        #expect(pods.contains(try #require(IPAddress("10.244.255.1"))))
        #expect(!pods.contains(try #require(IPAddress("10.245.0.1"))))
        #expect(!pods.contains(try #require(IPAddress("fd00::1"))))
        #expect(try #require(CIDR("::/0")).contains(try #require(IPAddress("fd00::1"))))
        #expect(try #require(CIDR("fd00::/72")).contains(try #require(IPAddress("fd00::ff:0:0:1"))))
    }
}

@Suite struct `Names and members of sets` {
    @Test func `are formatted as by ipset`() throws {
        let location = AddressPort(try #require(IPAddress("10.96.0.1")), 80)
        #expect(AddressSet.Member.addressPort(location, .tcp).description == "10.96.0.1,tcp:80")
        #expect(AddressSet.Member.addressPortAddress(location, .sctp, location.address).description == "10.96.0.1,sctp:80,10.96.0.1")
        #expect(
            AddressSet.Member.addressPortNet(location, .udp, try #require(CIDR("10.0.0.0/8"))).description == "10.96.0.1,udp:80,10.0.0.0/8")
        #expect(
            AddressSet.Member.addressPortNet(location, .udp, try #require(CIDR("10.0.0.7/32"))).description == "10.96.0.1,udp:80,10.0.0.7")
        #expect(AddressSet.Name("KUBE-6-LOAD-BALANCER-SOURCE-CIDR").text == "KUBE-6-LOAD-BALANCER-SOURCE-CID")
    }

    @Test(arguments: ["", "rr\0", "sixteen-letters-", "r r", "RR"]) func `a scheduler name must be valid for the kernel`(name: String) {
        #expect(Scheduler(name) == nil)
    }
}
