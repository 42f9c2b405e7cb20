import Glibc

/// Source ports that no request used lately, of this process or any other on this kernel: for UDP and SCTP, whose ends forget a port at once.
///
/// Left to itself the kernel takes a random one, perhaps that of a request some minutes ago. IPVS and NAT on the way still remember that one: the new
/// request goes to the same real server whatever the scheduler says, to one that is gone, or gets a port IPVS does not expect. All of that is as it should
/// be, and nothing a test that counts answers can have.
struct SourcePorts {
    /// Below the ports that the kernel and node ports use.
    private static let range: Range<UInt16> = 12_000..<30_000
    /// Holds how many ports were taken so far, in eight bytes; in /run, which all network namespaces share and no kernel keeps.
    private static let path = "/run/traffic-source-ports"

    /// 0, the kernel's choice, where the count cannot be kept.
    static func next() -> UInt16 {
        let file = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0o600)
        guard file >= 0 else { return 0 }
        defer { close(file) }
        guard flock(file, LOCK_EX) == 0 else { return 0 }
        var count: UInt64 = 0
        _ = withUnsafeMutableBytes(of: &count) { pread(file, $0.baseAddress, $0.count, 0) }
        var after = count &+ 1
        guard withUnsafeBytes(of: &after, { pwrite(file, $0.baseAddress, $0.count, 0) }) == 8 else { return 0 }
        return range.lowerBound + UInt16(count % UInt64(range.count))
    }
}
