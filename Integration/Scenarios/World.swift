import FoundationEssentials
import Glibc
import KernelTestSupport
import Testing

/// The scenarios run one after another, because they share one kernel.
@Suite(.serialized, .enabled(if: Place.isKernelOurs, "run them with make integration"))
enum Scenarios {}

/// A node with three pods and an external client, built once for all scenarios; see `Integration/topology.sh`.
actor World {
    static let shared = World()

    static let pods = ["pod-a", "pod-b", "pod-c"]
    /// The node's addresses on the outside network and on the pods' bridge.
    static let node = (outside: "10.99.0.2", bridge: "10.244.1.1", outside6: "fd00:99::2", bridge6: "fd00:244:1::1")

    static func address(_ pod: String) -> String { "10.244.1.1\(pods.firstIndex(of: pod) ?? 9)" }
    static func address6(_ pod: String) -> String { "fd00:244:1::1\(pods.firstIndex(of: pod) ?? 9)" }

    private var isBuilt = false
    private(set) var proxy: Int?
    /// The process groups that the current test started.
    private var processes: Set<Int> = []
    private var lastClient = 0

    /// Returns a number that no other client has.
    func nextClient() -> Int {
        lastClient += 1
        return lastClient
    }

    /// Notes a process group, which the next test kills if this one fails.
    func started(_ process: Int?) {
        if let process { processes.insert(process) }
    }

    func ended(_ process: Int) { processes.remove(process) }

    /// Resets the node for a scenario: no proxy, no kernel state of one, and no manifests.
    func begin() async throws {
        if !isBuilt { try await build() }
        try await kill()
        let leftOver = processes.map { "-\($0)" }.joined(separator: " ")
        processes = []
        try await Shell.output(
            """
            [ -z '\(leftOver)' ] || kill -KILL -- \(leftOver) 2>/dev/null || true
            ip netns exec node1 bash -c '
              ipvsadm -C
              ip link delete kube-ipvs0 2>/dev/null
              \(Self.resetFilter)
              echo 0 >/proc/sys/net/ipv4/ip_forward
              conntrack -F >/dev/null 2>&1
            ' || true
            \(Self.unblock)
            \(Modules.restoring)
            rm -rf \(Place.manifests) \(Place.state); mkdir -p \(Place.manifests) \(Place.state)
            """)
    }

    /// Removes all rules and sets in the network namespace, in both backends of iptables; loads no tables of iptables-legacy if that is hidden.
    private static let resetFilter =
        switch Place.iptables {
        case "none": "nft flush ruleset"
        case "nft": "nft flush ruleset; ipset destroy"
        default:
            """
            nft flush ruleset 2>/dev/null
            for iptables in iptables-legacy $([ ! -e /proc/sys/net/ipv6 ] || echo ip6tables-legacy); do
              for table in nat filter $(grep -xs mangle /proc/net/ip_tables_names); do $iptables -t $table -F; $iptables -t $table -X; done
            done
            ipset destroy
            """
        }

    // MARK: The external client

    /// Drops the packets between the node and a TCP port of the external client, in both directions, until `unblock` or the next test.
    ///
    /// - Parameter onlyEstablished: lets a new connection through in the direction from the node.
    func block(port: Int, onlyEstablished: Bool = false) async throws {
        let (node, iptables) = (Self.node.outside, "iptables-\(Place.iptables)")
        try await Shell.output(
            in: "outside",
            Place.hasIPTables
                ? """
                \(iptables) -I INPUT -s \(node) -p tcp --dport \(port) \(onlyEstablished ? "-m conntrack --ctstate ESTABLISHED" : "") -j DROP
                \(iptables) -I OUTPUT -d \(node) -p tcp --sport \(port) -j DROP
                """
                : """
                nft -f - <<'END'
                table ip block {
                  chain input {
                    type filter hook input priority filter
                    ip saddr \(node) tcp dport \(port) \(onlyEstablished ? "ct state established" : "") drop
                  }
                  chain output {
                    type filter hook output priority filter
                    ip daddr \(node) tcp sport \(port) drop
                  }
                }
                END
                """)
    }

    func unblock() async throws { try await Shell.output(Self.unblock) }

    /// Not with nftables in every mode: the kernel of the package user-mode-linux has none for IPv4.
    private static let unblock =
        "ip netns exec outside "
        + (Place.hasIPTables ? "bash -c 'iptables-\(Place.iptables) -F INPUT; iptables-\(Place.iptables) -F OUTPUT'" : "nft flush ruleset")

    // MARK: Building

    private func build() async throws {
        var script = "make_node node1\nmake_outside node1\nmkdir -p \(Place.scratch)\n"
        for pod in World.pods {
            script += """
                make_pod node1 \(pod) \(World.address(pod)) \(World.address6(pod))
                serve_traffic \(pod) --name \(pod) --http 8080 --udp 8080 --sctp 8080

                """
        }
        // The pod of the service-networking example, with the address and port of its manifest.
        script += """
            make_pod node1 nginx 10.244.1.3 fd00:244:1::3
            serve_traffic nginx --name nginx --http 80

            """
        // A wildcard listener of the host, like sshd or the kubelet.
        script += "serve_traffic node1 --name host --http 10255"
        try await Shell.output(script)
        isBuilt = true
    }

    // MARK: The proxy

    static let nodeFlags =
        "--hostname-override node1 --cluster-cidr 10.244.0.0/16,fd00:244::/32 --state-directory \(Place.state) \(Place.filterFlag) \(Place.addressFlag)"
    static let flags = "--manifests \(Place.manifests) --service-cluster-ip-range 10.96.0.0/12,fd00:96::/112 \(nodeFlags)"
    /// The flags of a proxy that reads the cluster from the scenarios' API server.
    static let apiFlags = "--kubeconfig \(Place.kubeconfig) \(nodeFlags)"

    /// Starts the proxy and waits until the kernel is in sync.
    func start(_ more: String = "", flags: String = World.flags) async throws {
        try await launch(more, flags: flags)
        try await waitForLog("Kernel state in sync")
    }

    /// Starts the proxy.
    ///
    /// - Parameters:
    ///   - path: a directory whose programs take precedence over those of the system.
    ///   - wrapper: a command that executes the proxy.
    func launch(_ more: String = "", flags: String = World.flags, path: String? = nil, through wrapper: String = "") async throws {
        let environment = path.map { "env PATH=\($0):$PATH " } ?? ""
        let command = "ip netns exec node1 \(environment)\(wrapper) \(Place.proxy) \(flags) --ipvs-min-sync-period 0s --v 4 \(more)"
        let answer = try await Shell.output(
            "rm -f \(Place.log); touch \(Place.log); setsid \(command) </dev/null >\(Place.log) 2>&1 & echo $!")
        proxy = Int(answer)
    }

    /// Kills the proxy, like a crash.
    func kill() async throws {
        guard let proxy else { return }
        try await Shell.output("kill -KILL \(proxy) 2>/dev/null; while kill -0 \(proxy) 2>/dev/null; do sleep 0.05; done; true")
        self.proxy = nil
    }

    /// Stops the proxy, like a supervisor.
    func terminate() async throws {
        guard let proxy else { return }
        try await Shell.output("kill -TERM \(proxy); while kill -0 \(proxy) 2>/dev/null; do sleep 0.05; done")
        self.proxy = nil
    }

    func log() throws -> String { try String(ofFile: Place.log) }

    struct Timeout: Error, CustomStringConvertible {
        var what: String
        var log: String
        var description: String { "timed out waiting for \(what); the proxy's log:\n\(log)" }
    }

    /// The number of failed checks after which a timeout is reported, even on a machine where each takes long.
    private static let fewestChecks = 20

    func waitForLog(_ text: String, seconds: Double = 180) async throws {
        try await wait(for: "\"\(text)\" in the log", seconds: seconds) { try self.log().contains(text) }
    }

    func wait(for what: String, seconds: Double = 180, _ condition: () async throws -> Bool) async throws {
        let deadline = ContinuousClock.now.advanced(by: .seconds(seconds))
        var checks = 0
        while try await !condition() {
            checks += 1
            // A busy machine may stop for longer than that. The timeout is reported even without a log.
            guard ContinuousClock.now < deadline || checks < Self.fewestChecks else {
                throw Timeout(what: what, log: String((try? log())?.suffix(6000) ?? "none"))
            }
            try await Task.sleep(for: .milliseconds(50))
        }
    }

    // MARK: Manifests

    /// Writes a manifest to a temporary file and renames it, like an editor or the kubelet.
    func write(_ name: String, _ text: String) throws {
        let path = "\(Place.manifests)/\(name)"
        try Data(text.utf8).write(to: URL(filePath: "\(path).part"))
        guard rename("\(path).part", path) == 0 else { throw Timeout(what: "rename of \(path)", log: "") }
    }

    func remove(_ name: String) throws { unlink("\(Place.manifests)/\(name)") }
}
