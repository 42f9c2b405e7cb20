import FoundationEssentials
import KernelTestSupport
import Testing

/// The commands of `docs/replace-kube-proxy.md`: its `sh` blocks, in order.
private struct ReplacementPage {
    /// The blocks by their heading.
    let blocks: [String: String]

    init() throws {
        var blocks: [String: String] = [:]
        var heading = ""
        var isCommand = false
        for line in try String(ofFile: "\(Place.repository)/docs/replace-kube-proxy.md").split(
            separator: "\n", omittingEmptySubsequences: false)
        {
            if line.hasPrefix("## ") { heading = String(line.dropFirst(3).prefix { $0 != ":" }) }
            if line.hasPrefix("```") {
                isCommand = line == "```sh"
            } else if isCommand {
                blocks[heading, default: ""] += line + "\n"
            }
        }
        self.blocks = blocks
    }
}

extension Scenarios {
    @Suite(
        .enabled(if: !APIServer.isOfACluster, "requires the test API server"),
        .enabled(if: Place.hasIPTables, "kube-proxy in IPVS mode requires iptables and ipset"))
    struct `The page on replacing kube-proxy` {
        let world = World.shared
        let server = APIServer.shared
        let kubeProxy = KubeProxyState("dual-stack")

        private static let tools = "\(Place.scratch)/tools"
        private static let config = "\(Place.scratch)/replacement.conf"
        private static let configMap = """
            apiVersion: kubeproxy.config.k8s.io/v1alpha1
            kind: KubeProxyConfiguration
            mode: ipvs
            clusterCIDR: 10.244.0.0/16,fd00:244::/32
            nodePortAddresses: [10.99.0.0/24, "fd00:99::/64"]
            clientConnection:
              kubeconfig: /var/lib/kube-proxy/kubeconfig.conf
            """

        /// Creates a wrapper of the program with the scenarios' directories, and a kubectl that acts on this node like a control plane.
        private func makeTools() async throws {
            let kubectl = """
                #!/bin/bash
                set -euo pipefail
                running() { [[ -e \(Self.tools)/pid ]] && kill -0 "$(<\(Self.tools)/pid)" 2>/dev/null; }
                stop() { ! running || kill -TERM "$(<\(Self.tools)/pid)"; while running; do sleep 0.1; done; }
                case "$*" in
                *' get configmap kube-proxy '*) cat \(Self.tools)/config.conf ;;
                *' set image daemonset/kube-proxy kube-proxy=an-image')
                    setsid kube-ipvs-proxy --config="$CONFIG" --hostname-override="$NODE" </dev/null >\(Place.log) 2>&1 & echo $! >\(Self.tools)/pid ;;
                *' rollout undo '* | *' delete daemonset '*) stop ;;
                *' rollout status '*) ! running || until grep -q 'Kernel state in sync' \(Place.log); do running; sleep 0.2; done ;;
                *) echo "kubectl: $*?"; exit 1 ;;
                esac
                """
            let program = """
                #!/bin/bash
                exec \(Place.proxy) "$@" --state-directory \(Place.state) \(Place.filterFlag)
                """
            try await Shell.output("rm -rf \(Self.tools); mkdir -p \(Self.tools)")
            for (name, text) in [
                ("kubectl", kubectl), ("status-program", "#!/bin/bash\nexec \(Place.proxy) \"$@\"\n"), ("config.conf", Self.configMap),
                (
                    "kube-ipvs-proxy",
                    program.replacing("exec ", with: "[[ $1 != status ]] || exec \(Self.tools)/status-program \"$@\"\nexec ")
                ),
            ] {
                try Data(text.utf8).write(to: URL(filePath: "\(Self.tools)/\(name)"))
            }
            try await Shell.output("chmod +x \(Self.tools)/*; rm -f \(Place.log); touch \(Place.log)")
        }

        private func follow(_ heading: String, _ page: ReplacementPage) async throws -> String {
            let block = try #require(page.blocks[heading], "\(heading)")
            return try await Shell.output(
                in: "node1",
                "export PATH=\(Self.tools):$PATH NODE=node1 IMAGE=an-image CONFIG=\(Self.config) KUBECONFIG=\(Place.kubeconfig); set -o pipefail; exec 2>/dev/null\n\(block)"
            )
        }

        @Test func `describes what happens on a node that kube-proxy served`() async throws {
            try await world.begin()
            let list = "\(Place.scratch)/list.json"
            try await Shell.output(
                "{ sed '$d' \(kubeProxy.folder)/../base.json; echo ,; sed '1,/\"items\": \\[/d' \(kubeProxy.folder)/objects.json; } >\(list)"
            )
            try await server.start("--load \(list)")
            try await makeTools()
            let before = try await KubeProxyState.dump()
            try await kubeProxy.load()
            let served = try await KubeProxyState.dump()
            let page = try ReplacementPage()

            let plan = try await follow("Before", page).split(separator: "\n").map(String.init)
            let text = try String(ofFile: "\(Place.repository)/docs/replace-kube-proxy.md")
            #expect(plan.count == 4, "\(plan)")
            for line in plan { #expect(text.contains("\n\(line)\n"), "the page does not have \(line)") }
            #expect(try await KubeProxyState.dump() == served)

            _ = try await follow("Replace", page)
            let status = try await follow("After", page)
            #expect(status.contains("10.101.0.80:80") && status.contains("10.244.1.3:8080"), "\(status)")
            for command in ["restore", "ipset", "ipvsadm", "ip address"] { #expect(!status.contains(command), "\(status)") }
            #expect(
                try await KubeProxyState.dump().filter { !$0.contains("KUBE-IPVS-FILTER") && !$0.contains("NO-LOCAL-ENDPOINTS") }
                    == served.filter { !$0.contains("KUBE-IPVS-FILTER") })

            _ = try await follow("Back to kube-proxy", page)
            try await kubeProxy.restoreRulesAsRestart()
            #expect(try await KubeProxyState.dump().filter { !$0.contains("NO-LOCAL-ENDPOINTS") } == served)

            let output = try await follow("Remove both", page)
            #expect(output.contains("ipvsadm -D -t 10.101.0.80:80") && output.contains("removed 5 virtual servers"), "\(output)")
            #expect(try await KubeProxyState.dump() == before)
            try await server.stop()
        }
    }
}
