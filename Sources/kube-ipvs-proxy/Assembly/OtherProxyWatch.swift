internal import KernelDataplane
internal import Kubernetes
internal import Logging
internal import ServiceLifecycle

/// Searches periodically for other node proxies on this node, and reports them. Startup does not wait for it, as that would delay traffic.
struct OtherProxyWatch: ServiceLifecycle.Service {
    let nodeName: String
    let interval: Duration
    let events: any EventRecorder
    let logger: Logger
    var find: @Sendable () throws(DataplaneError) -> OtherProxies = { () throws(DataplaneError) in try OtherProxies.find() }

    static let advice =
        "both write the same rules and virtual servers: stop the other one (kubectl -n kube-system delete daemonset kube-proxy; on a node without a cluster, its systemd unit)"

    func run() async throws {
        await cancelWhenGracefulShutdown {
            var known = OtherProxies()
            while !Task.isCancelled {
                do throws(DataplaneError) {
                    let found = try find()
                    if found != known { report(found) }
                    known = found
                } catch {
                    // It is unknown whether the others still run.
                    logger.warning("Failed to list other node proxies; retrying", metadata: ["error": "\(error)"])
                }
                // Cancellation means that the program ends.
                try? await Task.sleep(for: interval)
            }
        }
    }

    private func report(_ found: OtherProxies) {
        guard !found.isEmpty else { return logger.info("Other node proxy stopped") }
        for process in found.processes {
            logger.warning(
                "Another node proxy is running on this node",
                metadata: [
                    "pid": "\(process.pid)", "command": "\(process.commandLine)", "ports": "\(process.ports)",
                    "advice": "\(OtherProxyWatch.advice)",
                ])
        }
        if !found.portsOfOthers.isEmpty {
            logger.warning(
                "kube-proxy ports in use; another node proxy may be running on this node",
                metadata: ["ports": "\(found.portsOfOthers)", "advice": "\(OtherProxyWatch.advice)"])
        }
        let signs = found.processes.map { "pid \($0.pid) (\($0.commandLine))" } + found.portsOfOthers.map { "port \($0) in use" }
        events.record(
            ClusterEvent(
                .warning, reason: "OtherProxyRunning", action: "StartKubeProxy", regarding: .node(nodeName),
                note: "Found signs of another node proxy on this node: \(signs.joined(separator: ", ")); \(OtherProxyWatch.advice)"))
    }
}
