internal import FoundationEssentials
internal import Glibc
internal import Netlink
internal import SystemPackage

/// What `/proc` tells of processes; what has ended meanwhile, or may not be looked at, is left out.
///
/// Everything here fails with a temporary error where this process is short of something, such as file descriptors: then nothing is known.
struct ProcessTable {
    /// `/proc`, or what stands for it in a test.
    let folder: String

    /// Command lines of kube-proxy are short; others may be as long as they like.
    private static let commandLineLimit = 4096
    /// Listening sockets come first, and few.
    private static let socketListLimit = 1 << 20

    var pids: [Int] { get throws(DataplaneError) { try entries("").compactMap { Int($0) } } }

    /// Nil for threads of the kernel, and for what is gone.
    func arguments(of pid: Int) throws(DataplaneError) -> [String]? {
        guard let text = try text("\(pid)/cmdline", limit: ProcessTable.commandLineLimit) else { return nil }
        let arguments = text.split(separator: "\0").map(String.init)
        return arguments.isEmpty ? nil : arguments
    }

    /// Names a network namespace: `net:[4026531840]`; nil where it may not be seen.
    func network(of pid: Int) throws(DataplaneError) -> String? { try target("\(pid)/ns/net") }

    /// Sockets that listen on one of these ports in this process's network, by inode.
    func listeners(on ports: Set<UInt16>) throws(DataplaneError) -> [UInt64: UInt16] {
        var listeners: [UInt64: UInt16] = [:]
        for file in ["self/net/tcp", "self/net/tcp6"] {
            for line in (try text(file, limit: ProcessTable.socketListLimit) ?? "").split(separator: "\n").dropFirst() {
                let columns = line.split(separator: " ")
                // 0A is TCP_LISTEN (net/tcp_states.h); these are told first (net/ipv4/tcp_ipv4.c, tcp_seek_last_pos).
                guard columns.count > 9, columns[3] == "0A" else { break }
                guard let port = columns[1].split(separator: ":").last.flatMap({ UInt16($0, radix: 16) }), ports.contains(port) else {
                    continue
                }
                if let inode = UInt64(columns[9]) { listeners[inode] = port }
            }
        }
        return listeners
    }

    /// Which of these sockets a process holds.
    func sockets(of pid: Int, among sockets: [UInt64: UInt16]) throws(DataplaneError) -> [UInt64] {
        guard !sockets.isEmpty else { return [] }
        var held: [UInt64] = []
        for descriptor in try entries("\(pid)/fd") {
            // socket:[12345]
            guard let target = try target("\(pid)/fd/\(descriptor)"), target.hasPrefix("socket:["),
                let inode = UInt64(target.dropFirst("socket:[".count).dropLast()), sockets[inode] != nil
            else { continue }
            held.append(inode)
        }
        return held
    }

    // Processes come and go while they are looked at: what cannot be read is not there, unless the reason is on our side.

    private func entries(_ path: String) throws(DataplaneError) -> [String] {
        try present(path) { try FileManager.default.contentsOfDirectory(atPath: $0) } ?? []
    }

    private func target(_ path: String) throws(DataplaneError) -> String? {
        try present(path) { try FileManager.default.destinationOfSymbolicLink(atPath: $0) }
    }

    private func text(_ path: String, limit: Int) throws(DataplaneError) -> String? {
        try present(path) { try TextFile.read(FilePath($0), limit: limit) } ?? nil
    }

    private func present<Value>(_ path: String, _ read: (String) throws -> Value) throws(DataplaneError) -> Value? {
        do {
            return try read("\(folder)/\(path)")
        } catch {
            let posix = ((error as? CocoaError)?.underlying as? POSIXError).map { Errno(rawValue: $0.code.rawValue) }
            guard let errno = error as? Errno ?? posix, errno.isTemporary else { return nil }
            throw DataplaneError("\(folder)/\(path)", errno, what: "cannot be read")
        }
    }
}
