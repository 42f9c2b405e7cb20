internal import FoundationEssentials
internal import Glibc
internal import Netlink
internal import SystemPackage

/// Other node proxies that run in the same network namespace: both would write the same rules and virtual servers.
public struct OtherProxies: Hashable, Sendable {
    public struct Process: Hashable, Sendable {
        public var pid: Int
        /// The command line, shortened.
        public var commandLine: String
        /// The ports of kube-proxy that it listens on.
        public var ports: [UInt16]
    }

    public var processes: [Process] = []
    /// The ports of kube-proxy on which an unknown program listens: the only sign visible in a container without the node's processes.
    public var portsOfOthers: [UInt16] = []

    public var isEmpty: Bool { processes.isEmpty && portsOfOthers.isEmpty }

    /// The ports on which kube-proxy serves metrics and health.
    static let ports: Set<UInt16> = [10249, 10256]

    public init() {}

    /// Searches all visible processes.
    ///
    /// Fails with a temporary error if this process lacks a resource.
    public static func find() throws(DataplaneError) -> OtherProxies {
        try find(in: "/proc", besides: Int(ProcessInfo.processInfo.processIdentifier))
    }

    /// - Parameter pid: the ID of this process, which is excluded.
    static func find(in folder: String, besides pid: Int) throws(DataplaneError) -> OtherProxies {
        let table = ProcessTable(folder: folder)
        var listeners = try table.listeners(on: ports)
        // Sockets that this process holds are not another program's.
        for socket in try table.sockets(of: pid, among: listeners) { listeners[socket] = nil }
        var found = OtherProxies()
        let network = try table.network(of: pid)
        for other in try table.pids where other != pid {
            guard let arguments = try table.arguments(of: other), isKubeProxy(arguments) else { continue }
            // Other instances of this program wait until this one ends.
            if try table.isThisProgram(other) { continue }
            // A process whose network namespace is not visible counts.
            if let network, let otherNetwork = try table.network(of: other), otherNetwork != network { continue }
            let sockets = try table.sockets(of: other, among: listeners)
            let ports = Set(sockets.compactMap { listeners[$0] }).sorted()
            for socket in sockets { listeners[socket] = nil }
            found.processes.append(Process(pid: other, commandLine: shortened(arguments), ports: ports))
        }
        found.processes.sort { $0.pid < $1.pid }
        found.portsOfOthers = Set(listeners.values).sorted()
        return found
    }

    /// Whether this is the command line of kube-proxy, also as part of hyperkube.
    static func isKubeProxy(_ arguments: [String]) -> Bool {
        guard let program = arguments.first?.split(separator: "/").last else { return false }
        switch program {
        case "kube-proxy": return true
        case "hyperkube": return arguments.dropFirst().first.map { ["kube-proxy", "proxy"].contains($0) } ?? false
        default: return false
        }
    }

    static func shortened(_ arguments: [String]) -> String {
        let text = arguments.joined(separator: " ")
        return text.count > 200 ? text.prefix(200) + "…" : text
    }
}

/// The processes in `/proc`, without those that have exited or are not accessible.
///
/// Everything here fails with a temporary error if this process lacks a resource, such as file descriptors.
struct ProcessTable {
    /// `/proc`, or its replacement in a test.
    let folder: String

    /// In bytes. Command lines of kube-proxy are short; others may be long.
    private static let commandLineLimit = 4096
    /// In bytes. Listening sockets come first, and are few.
    private static let socketListLimit = 1 << 20

    var pids: [Int] { get throws(DataplaneError) { try entries("").compactMap { Int($0) } } }

    /// Nil for kernel threads and processes that have exited.
    func arguments(of pid: Int) throws(DataplaneError) -> [String]? {
        guard let text = try text("\(pid)/cmdline", limit: ProcessTable.commandLineLimit) else { return nil }
        let arguments = text.split(separator: "\0").map(String.init)
        return arguments.isEmpty ? nil : arguments
    }

    /// The network namespace, such as `net:[4026531840]`; nil if it is not accessible.
    func network(of pid: Int) throws(DataplaneError) -> String? { try target("\(pid)/ns/net") }

    /// Whether the process named itself like this program: see `ProcessName`.
    func isThisProgram(_ pid: Int) throws(DataplaneError) -> Bool {
        try text("\(pid)/comm", limit: ProcessTable.commandLineLimit)?.split(separator: "\n").first.map(String.init) == ProcessName.own
    }

    /// The effective user ID of a process; nil if it has exited.
    func owner(of pid: Int) -> UInt32? {
        var found = stat()
        guard unsafe stat("\(folder)/\(pid)", &found) == 0 else { return nil }
        return found.st_uid
    }

    /// The sockets that listen on these ports in this network namespace: their ports by inode.
    func listeners(on ports: Set<UInt16>) throws(DataplaneError) -> [UInt64: UInt16] {
        var listeners: [UInt64: UInt16] = [:]
        for (port, columns) in try listening(on: ports) {
            if let inode = UInt64(columns[9]) { listeners[inode] = port }
        }
        return listeners
    }

    /// The sockets that listen on a port in this network namespace, with their addresses and users.
    func listeners(on port: UInt16) throws(DataplaneError) -> [ListeningSocket] {
        try listening(on: [port]).compactMap { ListeningSocket($0.columns) }
    }

    private func listening(on ports: Set<UInt16>) throws(DataplaneError) -> [(port: UInt16, columns: [Substring])] {
        var found: [(port: UInt16, columns: [Substring])] = []
        for file in ["self/net/tcp", "self/net/tcp6"] {
            for line in (try text(file, limit: ProcessTable.socketListLimit) ?? "").split(separator: "\n").dropFirst() {
                let columns = line.split(separator: " ")
                // 0A is TCP_LISTEN (net/tcp_states.h); these sockets come first (net/ipv4/tcp_ipv4.c, tcp_seek_last_pos).
                guard columns.count > 9, columns[3] == "0A" else { break }
                guard let port = columns[1].split(separator: ":").last.flatMap({ UInt16($0, radix: 16) }), ports.contains(port) else {
                    continue
                }
                found.append((port, columns))
            }
        }
        return found
    }

    /// The inodes of these sockets that a process has open.
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

    // Processes may exit during the search: unreadable files count as missing, unless this process lacks a resource.

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
            throw DataplaneError("\(folder)/\(path)", errno, what: "failed to read")
        }
    }
}
