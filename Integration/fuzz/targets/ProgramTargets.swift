import ArgumentParser
import Dispatch
import FoundationEssentials
import HummingbirdCore
import Kubernetes
import Logging
import Model
import NIOCore
import NIOEmbedded
import Text

@testable import KubeProxyConfiguration
@testable import StatusAPI
@testable import StatusServer
@testable import StatusTable
@testable import kube_ipvs_proxy

extension FuzzTarget {
    /// The arguments of the program, one in a line.
    static let flags = FuzzTarget("flags") { bytes in
        let text = String(decoding: bytes, as: UTF8.self)
        let arguments = text.split(separator: "\n", omittingEmptySubsequences: false).prefix(32).map(String.init)
        _ = VersionFlag(arguments).text
        for argument in arguments {
            guard let location = AddressPort(argument: argument), location.port != 0 else { continue }
            try require(AddressPort(argument: location.description) == location, "\(argument) is written as \(location)")
        }
        let normalized = GoStyleArguments.normalized(arguments)
        let command: any ParsableCommand
        do {
            command = try KubeIPVSProxy.parseAsRoot(normalized)
        } catch {
            try require(!KubeIPVSProxy.fullMessage(for: error).isEmpty || KubeIPVSProxy.exitCode(for: error) == .success, "no message")
            return
        }
        if let status = command as? StatusCommand { _ = (status.ipvsadm.key, status.ipvsadm.columns) }
        guard let run = command as? RunCommand else { return }
        let flags = run.options.values
        _ = run.listing
        do throws(ConfigurationError) {
            let effective = try KubeProxyConfiguration.effective(file: nil, flags: flags)
            let proxy = try ProxyConfiguration(effective, flags, hostname: "node1")
            _ = proxy.translationSettings(families: [.ipv4, .ipv6], hasRandomFully: true)
        } catch {
            for problem in error.problems { try requirePrintable("\(problem)", "an error") }
        }
    }

    /// The answer of a proxy to the status command.
    static let status = FuzzTarget("status") { bytes in
        let data = Data(bytes)
        if let differences = try? JSONDecoder().decode(ProxyDifferences.self, from: data) { _ = try JSONEncoder().encode(differences) }
        guard let report = try? JSONDecoder().decode(ProxyReport.self, from: data) else { return }
        let again = try JSONDecoder().decode(ProxyReport.self, from: try JSONEncoder().encode(report))
        try require(again == report, "the report is written differently")
        // The kernel has every other virtual server.
        let services = report.virtualServers.enumerated().compactMap { index, server in
            index % 2 == 0 ? server.identity.map { IPVSService(key: .init($0), scheduler: "rr", flags: 0, timeout: 0, netmask: 0) } : nil
        }
        let document = StatusDocument(services, report)
        for columns in [NamedTable.Columns.connections, .wide, .watched, .statistics, .rates, .thresholds, .persistentConnections] {
            for line in NamedTable(document, columns: columns).lines { try requirePrintable(line.text, "a line of the table") }
        }
        _ = try document.json
        _ = try? document.yaml
        _ = document.filtered(namespace: "default", service: nil).servicesOnly
        if let server = report.virtualServers.first, let identity = server.identity {
            let explanation = Explanation(
                identity, kernel: NodeState(), known: server, proxyAnswered: true, isHeldElsewhere: false
            ) { _, _ in "" }
            for line in explanation.lines { try requirePrintable(line, "a line of the explanation") }
        }
    }

    /// The bytes of a client of the HTTP servers, in two parts: the first byte is where the second one begins.
    static let http = FuzzTarget("http") { bytes in
        let done = DispatchSemaphore(value: 0)
        Task.detached {
            await HTTPConnection.answer(bytes)
            done.signal()
        }
        done.wait()
    }
}

/// A connection to the servers of the program, without a network.
private enum HTTPConnection {
    private static let metrics = MetricsRoutes(
        ProxyMetrics(families: [.ipv4, .ipv6]), MetricsRoutes.Content(version: "1", emulates: "1.36"), start: .now)
    private static let socket = SocketRoutes(
        report: { _ in ProxyReport(node: "node1", inSync: true, virtualServers: [], notServed: []) },
        differences: { ProxyDifferences(differences: []) })
    private static let listener = HTTPListener(
        ListenAddress(.address(IPAddress(v4: 0x7f00_0001)), port: 0), connections: OpenConnections(limit: 64)
    ) { request in
        let answer = metrics.answer(request, at: .now)
        return answer.status == 404 ? await socket.answer(request) : answer
    }
    private static let silent = Logger(label: "fuzz") { _ in SwiftLogNoOpLogHandler() }

    /// How often the handlers get a turn before the connection is cut off, which is enough for an answer.
    private static let turns = 50

    static func answer(_ bytes: [UInt8]) async {
        var choices = Choices(bytes)
        let cut = Int(choices.byte())
        let rest = Array(choices.rest)
        let channel = NIOAsyncTestingChannel()
        let http = listener.http
        // A connection that cannot be set up, or that the client resets, only ends.
        do {
            let connection = try await channel.testingEventLoop.executeInContext { http.setup(channel: channel, logger: silent) }.get()
            try await channel.connect(to: SocketAddress(ipAddress: "127.0.0.1", port: 1))
            let handling = Task { await http.handle(value: connection, logger: silent) }
            do {
                for part in [rest.prefix(cut), rest.dropFirst(cut)] where !part.isEmpty {
                    try await channel.writeInbound(ByteBuffer(bytes: part))
                }
                try await channel.testingEventLoop.executeInContext {
                    channel.pipeline.fireUserInboundEventTriggered(ChannelEvent.inputClosed)
                }
            } catch {
                // What is not HTTP closes the connection.
            }
            for _ in 0..<turns { await Task.yield() }
            // A client that does not go away by itself.
            try? await channel.close()
            await handling.value
        } catch {
            return
        }
    }
}
