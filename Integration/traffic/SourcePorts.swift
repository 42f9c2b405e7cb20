import Glibc

/// Source ports that no request of any process on this kernel used recently: for UDP and SCTP, whose ports are reusable at once.
///
/// By default, the kernel takes a random port, perhaps that of a request some minutes ago, for which IPVS and NAT still have state: the new
/// request goes to the same real server regardless of the scheduler, to a removed one, or gets a port that IPVS does not expect. All of
/// that is correct, but a test that counts answers must avoid it.
struct SourcePorts {
    /// Below the ports that the kernel and node ports use.
    private static let range: Range<UInt16> = 12_000..<30_000
    /// Contains the number of ports taken so far, in eight bytes; in /run, which all network namespaces share and which is not persistent.
    private static let path = "/run/traffic-source-ports"

    /// Returns the next port, or 0 to let the kernel choose if the count cannot be stored.
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
