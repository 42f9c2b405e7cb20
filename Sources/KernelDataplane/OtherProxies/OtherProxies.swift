internal import FoundationEssentials

/// Node proxies that are at work beside this program, in the same network namespace: both would write the same rules and virtual servers.
public struct OtherProxies: Hashable, Sendable {
    public struct Process: Hashable, Sendable {
        public var pid: Int
        /// What it was started with, shortened.
        public var commandLine: String
        /// Which of kube-proxy's ports it listens on.
        public var ports: [UInt16]
    }

    public var processes: [Process] = []
    /// kube-proxy's ports that a program listens on which is neither of these nor this one: a container without the node's processes sees no other sign.
    public var portsOfOthers: [UInt16] = []

    public var isEmpty: Bool { processes.isEmpty && portsOfOthers.isEmpty }

    /// Where kube-proxy serves metrics and health.
    static let ports: Set<UInt16> = [10249, 10256]

    public init() {}

    /// Looks at all processes that there are to be seen.
    ///
    /// Fails with a temporary error where nothing can be known for now.
    public static func find() throws(DataplaneError) -> OtherProxies {
        try find(in: "/proc", besides: Int(ProcessInfo.processInfo.processIdentifier))
    }

    /// - Parameter pid: of the process that asks.
    static func find(in folder: String, besides pid: Int) throws(DataplaneError) -> OtherProxies {
        let table = ProcessTable(folder: folder)
        var listeners = try table.listeners(on: ports)
        // What this process holds, directly or not, is nobody else's.
        for socket in try table.sockets(of: pid, among: listeners) { listeners[socket] = nil }
        var found = OtherProxies()
        let network = try table.network(of: pid)
        for other in try table.pids where other != pid {
            guard let arguments = try table.arguments(of: other), isNodeProxy(arguments) else { continue }
            // One whose network is not to be seen counts.
            if let network, let its = try table.network(of: other), its != network { continue }
            let sockets = try table.sockets(of: other, among: listeners)
            let ports = Set(sockets.compactMap { listeners[$0] }).sorted()
            for socket in sockets { listeners[socket] = nil }
            found.processes.append(Process(pid: other, commandLine: shortened(arguments), ports: ports))
        }
        found.processes.sort { $0.pid < $1.pid }
        found.portsOfOthers = Set(listeners.values).sorted()
        return found
    }

    /// kube-proxy, also as a part of hyperkube, or another one of this program that keeps a kernel in step.
    static func isNodeProxy(_ arguments: [String]) -> Bool {
        guard let program = arguments.first?.split(separator: "/").last else { return false }
        switch program {
        case "kube-proxy": return true
        case "hyperkube": return arguments.dropFirst().first.map { ["kube-proxy", "proxy"].contains($0) } ?? false
        case "kube-ipvs-proxy":
            let once: Set = ["status", "plan", "cleanup", "help", "--help", "--version", "--once", "--init-only", "--cleanup"]
            return !arguments.contains(where: once.contains)
        default: return false
        }
    }

    private static func shortened(_ arguments: [String]) -> String {
        let text = arguments.joined(separator: " ")
        return text.count > 200 ? text.prefix(200) + "…" : text
    }
}
