internal import SystemPackage

/// The kernel's list of IPVS connections, `/proc/net/ip_vs_conn`, which is not available through netlink.
public struct ConnectionTable: Sendable {
    private static let path: FilePath = "/proc/net/ip_vs_conn"

    /// Reads the file in parts, as there may be millions of connections.
    ///
    /// - Parameter body: called with each line without its newline; the first one is the heading.
    public static func forEachLine(_ body: (Substring) -> Void) throws(DataplaneError) {
        do {
            let file = try FileDescriptor.open(path, .readOnly, options: .closeOnExec)
            try file.closeAfter {
                var pending: [UInt8] = []
                var buffer = [UInt8](repeating: 0, count: 1 << 16)
                while true {
                    let count = try unsafe buffer.withUnsafeMutableBytes { unsafe try file.read(into: $0) }
                    guard count > 0 else { break }
                    pending += buffer[..<count]
                    guard let end = pending.lastIndex(of: UInt8(ascii: "\n")) else { continue }
                    for line in String(decoding: pending[..<end], as: UTF8.self).split(separator: "\n") { body(line) }
                    pending.removeSubrange(...end)
                }
            }
        } catch {
            throw DataplaneError("read \(path)", "\(error)")
        }
    }
}
