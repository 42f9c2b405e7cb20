internal import Text

/// How an instance of this program describes itself to others in its network namespace: one line of JSON on the socket that holds the
/// namespace.
public struct InstanceDescription: Codable, Hashable, Sendable, CustomStringConvertible {
    /// In the pid namespace of the reader, where the kernel provides it; 0 if it is not visible there.
    public var pid: Int
    public var host: String
    /// The pod, if the instance knows it.
    public var pod: String?
    public var version: String
    public var command: String
    /// When it started (RFC 3339).
    public var started: String

    public init(pid: Int, host: String = "", pod: String? = nil, version: String = "", command: String = "", started: String = "") {
        self.pid = pid
        self.host = host
        self.pod = pod
        self.version = version
        self.command = command
        self.started = started
    }

    /// In bytes, including the newline.
    public static let lineLimit = 4096

    /// The description with bounded, printable texts: what another process sent may contain anything.
    public var printable: InstanceDescription {
        InstanceDescription(
            pid: pid, host: host.printable(limit: 253), pod: pod?.printable(limit: 253), version: version.printable(limit: 64),
            command: command.printable(limit: 200), started: started.printable(limit: 64))
    }

    /// `pid 123, pod kube-ipvs-proxy-x7k2p, version 0.1.0, started 2026-11-28T12:00:00Z: kube-ipvs-proxy run`.
    public var description: String {
        var parts = [pid > 0 ? "pid \(pid)" : "pid not visible here"]
        if let pod { parts.append("pod \(pod)") }
        if !host.isEmpty { parts.append("host \(host)") }
        if !version.isEmpty { parts.append("version \(version)") }
        if !started.isEmpty { parts.append("started \(started)") }
        let text = parts.joined(separator: ", ")
        return command.isEmpty ? text : "\(text): \(command)"
    }
}
