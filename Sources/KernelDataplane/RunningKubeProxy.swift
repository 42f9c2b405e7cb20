internal import FoundationEssentials
public import Model
internal import SystemPackage

/// A kube-proxy that runs in this network namespace for certain: both would write the same rules and virtual servers.
///
/// Only programs of root count, so that no other user can keep this one from serving.
public enum RunningKubeProxy: Hashable, Sendable, CustomStringConvertible {
    case process(pid: Int, commandLine: String)
    /// It answers on the port of kube-proxy's metrics, as it does in k3s, and where its process is not visible.
    ///
    /// - Parameter inode: of its listening socket.
    case server(AddressPort, mode: String, inode: UInt64)

    public var description: String {
        switch self {
        case .process(let pid, let commandLine): "pid \(pid) (\(commandLine))"
        case .server(let address, let mode, _): "kube-proxy in mode \(mode) answers on \(address)"
        }
    }

    /// Searches processes and the metrics port.
    ///
    /// Takes up to a second if a server does not answer. Fails with a temporary error if this process lacks a resource.
    public static func find() throws(DataplaneError) -> [RunningKubeProxy] {
        let table = ProcessTable(folder: "/proc")
        let pid = Int(ProcessInfo.processInfo.processIdentifier)
        return try processes(in: table, besides: pid) + servers(in: table, besides: pid)
    }

    /// Whether it still runs, which is cheaper to tell than `find`. Another program with its pid or port does not count.
    public var isRunning: Bool { isRunning(in: ProcessTable(folder: "/proc")) }

    func isRunning(in table: ProcessTable) -> Bool {
        // A failure to read decides nothing: the next search does.
        return switch self {
        case .process(let pid, let commandLine):
            (try? table.arguments(of: pid)).map { $0.map(OtherProxies.shortened) == commandLine } ?? true
        case .server(_, _, let inode): (try? table.listeners(on: [RunningKubeProxy.port])).map { $0[inode] != nil } ?? true
        }
    }

    // MARK: Processes

    /// - Parameter user: another user ID than that of root that counts.
    static func processes(in table: ProcessTable, besides pid: Int, user: UInt32 = 0) throws(DataplaneError) -> [RunningKubeProxy] {
        guard let network = try table.network(of: pid) else { return [] }
        var found: [RunningKubeProxy] = []
        for other in try table.pids.sorted() where other != pid {
            guard let arguments = try table.arguments(of: other), OtherProxies.isKubeProxy(arguments),
                try table.network(of: other) == network, let owner = table.owner(of: other), owner == 0 || owner == user,
                try !table.isThisProgram(other)
            else { continue }
            found.append(.process(pid: other, commandLine: OtherProxies.shortened(arguments)))
        }
        return found
    }

    // MARK: The server

    /// `--metrics-bind-address`
    static let port: UInt16 = 10249
    /// What kube-proxy's `/proxyMode` answers (`pkg/proxy/apis/config`, ProxyMode).
    static let modes: Set = ["iptables", "ipvs", "nftables", "userspace", "kernelspace"]

    private static func servers(in table: ProcessTable, besides pid: Int) throws(DataplaneError) -> [RunningKubeProxy] {
        // Read once: the server of this program, which answers the same, may begin to listen meanwhile.
        let listeners: [ListeningSocket] = try table.listeners(on: port)
        let inodes = Dictionary(listeners.map { ($0.inode, port) }, uniquingKeysWith: { first, _ in first })
        let own = Set(try table.sockets(of: pid, among: inodes))
        for listener in listeners where listener.user == 0 && !own.contains(listener.inode) {
            for address in listener.destinations {
                let destination = AddressPort(address, port)
                guard let mode = TCPClient.get("/proxyMode", from: destination), modes.contains(mode) else { continue }
                return [.server(destination, mode: mode, inode: listener.inode)]
            }
        }
        return []
    }
}

/// The name that this program gives its process, so that instances recognize each other, also under the name `kube-proxy`.
public enum ProcessName {
    static let own = "kube-ipvs-proxy"

    /// Names this process. A failure only makes other instances take it for kube-proxy if it was started under that name.
    public static func set() { try? TextFile.write(own, to: "/proc/self/comm", options: []) }
}

/// A listening socket in this network namespace.
struct ListeningSocket: Hashable {
    /// Nil for all addresses of `family`.
    var address: IPAddress?
    var family: IPFamily
    var user: UInt32
    var inode: UInt64

    /// The addresses at which a local client reaches it.
    var destinations: [IPAddress] {
        if let address { return [address] }
        let loopback = [IPAddress(v4: 0x7f00_0001)]
        // A socket of IPv6 usually accepts IPv4, too.
        return family == .ipv4 ? loopback : [IPAddress("::1")].compactMap(\.self) + loopback
    }

    /// - Parameter columns: a line of `/proc/net/tcp` or `/proc/net/tcp6` (net/ipv4/tcp_ipv4.c, `get_tcp4_sock`).
    init?(_ columns: [Substring]) {
        guard columns.count > 9, let user = UInt32(columns[7]), let inode = UInt64(columns[9]) else { return nil }
        (self.user, self.inode) = (user, inode)
        let words = columns[1].prefix { $0 != ":" }
        // Each word of 32 bits is printed as a number in the byte order of the machine.
        var bytes: [UInt8] = []
        for start in stride(from: 0, to: words.count, by: 8) {
            guard let word = UInt32(words.dropFirst(start).prefix(8), radix: 16) else { return nil }
            unsafe withUnsafeBytes(of: word) { unsafe bytes.append(contentsOf: $0) }
        }
        switch bytes.count {
        case 4: family = .ipv4
        case 16: family = .ipv6
        default: return nil
        }
        guard bytes.contains(where: { $0 != 0 }) else { return }
        address = IPAddress(bytes: bytes)
    }
}
