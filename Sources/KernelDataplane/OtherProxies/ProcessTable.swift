internal import FoundationEssentials
internal import SystemPackage

/// What `/proc` tells of processes; what has ended meanwhile, or may not be looked at, is left out.
struct ProcessTable {
    /// `/proc`, or what stands for it in a test.
    let folder: String

    /// Command lines of kube-proxy are short; others may be as long as they like.
    private static let commandLineLimit = 4096
    /// Listening sockets come first, and few.
    private static let socketListLimit = 1 << 20

    var pids: [Int] { entries("").compactMap { Int($0) } }

    /// Nil for threads of the kernel, and for what is gone.
    func arguments(of pid: Int) -> [String]? {
        guard let text = text("\(pid)/cmdline", limit: ProcessTable.commandLineLimit) else { return nil }
        let arguments = text.split(separator: "\0").map(String.init)
        return arguments.isEmpty ? nil : arguments
    }

    /// Names a network namespace: `net:[4026531840]`; nil where it may not be seen.
    func network(of pid: Int) -> String? { target("\(pid)/ns/net") }

    /// Sockets that listen on one of these ports in this process's network, by inode.
    func listeners(on ports: Set<UInt16>) -> [UInt64: UInt16] {
        var listeners: [UInt64: UInt16] = [:]
        for file in ["self/net/tcp", "self/net/tcp6"] {
            for line in (text(file, limit: ProcessTable.socketListLimit) ?? "").split(separator: "\n").dropFirst() {
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
    func sockets(of pid: Int, among sockets: [UInt64: UInt16]) -> [UInt64] {
        guard !sockets.isEmpty else { return [] }
        return entries("\(pid)/fd").compactMap { descriptor in
            // socket:[12345]
            guard let target = target("\(pid)/fd/\(descriptor)"), target.hasPrefix("socket:["),
                let inode = UInt64(target.dropFirst("socket:[".count).dropLast()), sockets[inode] != nil
            else { return nil }
            return inode
        }
    }

    // Processes come and go while they are looked at: what cannot be read is not there.

    private func entries(_ path: String) -> [String] { (try? FileManager.default.contentsOfDirectory(atPath: "\(folder)/\(path)")) ?? [] }

    private func target(_ path: String) -> String? { try? FileManager.default.destinationOfSymbolicLink(atPath: "\(folder)/\(path)") }

    private func text(_ path: String, limit: Int) -> String? { (try? TextFile.read(FilePath("\(folder)/\(path)"), limit: limit)) ?? nil }
}
