import FoundationEssentials
import KernelTestSupport
import Testing

/// Requests and commands of the scenarios about missing parts.
private enum Node {
    static func health() async throws -> String {
        try await Shell.output(in: "node1", "curl --silent --max-time 10 --write-out ' %{http_code}' http://127.0.0.1:10256/healthz")
    }

    static func expectHealthy() async throws {
        let health = try await health()
        #expect(health.hasSuffix(" 200"), "\(health)")
    }

    static func expectAnswers(_ addresses: [String] = [Manifests.clusterIP, Manifests.clusterIP6]) async throws {
        for address in addresses {
            let answers = try await Answers.ask(from: "pod-a", "tcp", address, Manifests.port, "--count 3")
            #expect(answers.failed == 0 && answers.responders.count == 3, "\(address): \(answers)")
        }
    }

    /// Runs the proxy until it exits by itself, and expects the status 1 with one last line.
    static func expectExit(_ flags: String, through: String = "", with messages: String...) async throws {
        let command = "ip netns exec node1 \(through) timeout 120 \(Place.proxy) \(World.flags) \(flags)"
        let result = try await Shell.attempt("status=0; \(command) || status=$?; echo \"status $status\"")
        let lines = result.output.split(separator: "\n").suffix(2)
        #expect(lines.last == "status 1", "\(result.output)")
        for message in messages { #expect(lines.first?.contains(message) == true, "\(message):\n\(result.output)") }
        #expect(lines.first?.hasPrefix("Error: ") == true, "\(result.output)")
    }

    /// Waits for an Event on an object of this kind.
    static func waitForEvent(_ reason: String, on kind: String, containing text: String) async throws {
        try await World.shared.wait(for: "the Event \(reason) with \(text)") {
            try await APIServer.shared.request("GET", "/_test/events").split(separator: "\"kind\":\"Event\"").contains {
                $0.contains("\"\(reason)\"") && $0.contains("\"kind\":\"\(kind)\"") && $0.contains(text)
            }
        }
    }
}

extension Scenarios {
    /// The node lacks one module of the kernel.
    @Suite(.enabled(if: Modules.areRemovable && Place.hasIPTables, "requires a user-space kernel with loadable modules, and iptables"))
    struct `A missing module` {
        let world = World.shared
        let server = APIServer.shared

        private func begin() async throws {
            try await world.begin()
            try await world.write("web.yaml", Manifests.web())
            try await world.write("slices.yaml", Manifests.slices(World.pods))
        }

        /// An API server with the same objects.
        private func beginWithServer() async throws {
            try await begin()
            try await server.start()
            for object in [APIObject.node(), .web(), .slice(World.pods), .slice(World.pods, isV6: true)] { try await server.put(object) }
        }

        struct RulePart: Sendable, CustomTestStringConvertible {
            var module: String
            /// The text in the message.
            var part: String
            /// The families whose rules need it.
            var programs = ["iptables", "ip6tables"]

            var testDescription: String { module }
        }

        private static let parts = [
            RulePart(module: "xt_set", part: "match set"), RulePart(module: "xt_comment", part: "match comment"),
            RulePart(module: "xt_conntrack", part: "match conntrack"), RulePart(module: "xt_physdev", part: "match physdev"),
            RulePart(module: "xt_ipvs", part: "match ipvs"), RulePart(module: "xt_addrtype", part: "match addrtype"),
            // One module has both.
            RulePart(module: "xt_mark", part: "match mark and no target MARK"),
            RulePart(module: "xt_MASQUERADE", part: "target MASQUERADE"),
            RulePart(module: "ipt_REJECT", part: "target REJECT", programs: ["iptables"]),
            RulePart(module: "ip6t_REJECT", part: "target REJECT", programs: ["ip6tables"]),
            RulePart(module: "iptable_filter", part: "table filter", programs: ["iptables"]),
        ]

        /// A Service whose rules need every match.
        private static let everyMatch =
            Manifests.web(name: "open", address: "10.96.0.30", address6: "fd00:96::30", nodePort: nil).replacing(
                "type: ClusterIP",
                with: """
                    type: LoadBalancer
                      externalIPs: ["198.51.100.7", "fd00:51::7"]
                      allocateLoadBalancerNodePorts: false
                      loadBalancerSourceRanges: ["203.0.113.0/24", "2001:db8::/32"]
                    """)
            + "status: {loadBalancer: {ingress: [{ip: \"198.51.100.8\"}, {ip: \"fd00:51::8\"}]}}\n"

        @Test(arguments: parts)
        func `of the rules is named by log and health with its command, and only its family waits for that`(missing: RulePart) async throws
        {
            try await begin()
            try await world.write("open.yaml", Self.everyMatch)
            try await world.write("open-slices.yaml", Manifests.slices(World.pods, of: "open"))
            try await Modules.hide(missing.module)
            // The longest time until a retry.
            try await world.launch("--ipvs-sync-period 2s")
            let message = "the kernel has no \(missing.part): load the module \(missing.module) (modprobe \(missing.module))"
            for program in missing.programs { try await world.waitForLog("\(program)-legacy-restore: \(message)") }
            try await world.wait(for: "the failure in the health") { try await Node.health().contains(message) }
            #expect(try await Node.health().hasSuffix(" 503"))
            switch missing.programs {
            case ["iptables"]: try await Node.expectAnswers([Manifests.clusterIP6])
            case ["ip6tables"]: try await Node.expectAnswers([Manifests.clusterIP])
            // No address may be served without the rules that protect it.
            default: #expect(try await Shell.output(in: "node1", "ipvsadm -S -n") == "")
            }
            try await Modules.restore()
            try await Shell.output("modprobe \(missing.module)")
            try await world.waitForLog("Kernel state in sync")
            try await Node.expectAnswers()
            try await Node.expectHealthy()
        }

        @Test func `of the rules is an Event on the Node`() async throws {
            try await beginWithServer()
            // One family only, as the Event may otherwise name the xtables lock that the other one's tests hold.
            try await Modules.hide("ip6t_REJECT")
            try await world.launch(flags: World.apiFlags)
            let message = "ip6tables-legacy-restore: the kernel has no target REJECT: load the module ip6t_REJECT (modprobe ip6t_REJECT)"
            try await Node.waitForEvent("SyncFailed", on: "Node", containing: message)
        }

        /// The virtual servers of node ports need no address on the device.
        @Test func `dummy is named by log, health and an Event on the Node, and node ports work`() async throws {
            try await beginWithServer()
            try await Modules.hide("dummy")
            let once = try await Shell.attempt("ip netns exec node1 \(Place.proxy) --once \(World.flags)")
            let message = "load the module dummy (modprobe dummy)"
            #expect(!once.succeeded && once.output.contains("failed: ip link add kube-ipvs0 type dummy: operation not supported"))
            #expect(once.output.contains(message), "\(once.output)")
            try await world.launch(flags: World.apiFlags)
            try await world.waitForLog(message)
            try await Node.waitForEvent("SyncFailed", on: "Node", containing: message)
            let health = try await Node.health()
            #expect(health.hasSuffix(" 503") && health.contains(message), "\(health)")
            for address in [World.node.outside, World.node.outside6] {
                let answers = try await Answers.ask(from: "outside", "tcp", address, Manifests.nodePort, "--count 3")
                #expect(answers.failed == 0, "\(address): \(answers)")
            }
            try await Modules.restore()
            try await Shell.output("modprobe dummy")
            try await world.waitForLog("Kernel state in sync")
            try await Node.expectAnswers()
            try await Node.expectHealthy()
        }

        @Test(arguments: [
            ("ip_vs", "this kernel has no IPVS: load the module ip_vs (modprobe ip_vs)"),
            ("ip_vs_rr", "scheduler rr: not available in this kernel: load the module ip_vs_rr (modprobe ip_vs_rr)"),
            ("ip_set", "this kernel has no ipset: load the modules ip_set and ip_set_hash_ip (modprobe --all ip_set ip_set_hash_ip)"),
            (
                "ip_set_hash_ipportip",
                "set type hash:ip,port,ip: not supported by the kernel: load the modules ip_set and ip_set_hash_ipportip (modprobe --all"
            ),
        ])
        func `that everything needs ends the start with its name, and the kernel loads it at the next start`(
            module: String, message: String
        )
            async throws
        {
            try await begin()
            try await Modules.hide(module)
            try await Node.expectExit("", with: message)
            try await Modules.restore()
            try await world.start()
            try await Node.expectAnswers()
        }

        @Test(arguments: [("ip6table_nat", "IPv6", Manifests.clusterIP), ("iptable_nat", "IPv4", Manifests.clusterIP6)])
        func `of one family's nat table leaves the other family, with a warning and an Event on the Node`(
            module: String, family: String, served: String
        ) async throws {
            try await beginWithServer()
            try await Modules.hide(module)
            try await world.start(flags: World.apiFlags)
            let log = try await world.log()
            let line = log.split(separator: "\n").first { $0.contains("\"Not serving IP family\"") } ?? ""
            #expect(line.contains("family=\"\(family)\"") && line.contains("load the module \(module) (modprobe \(module))"), "\(log)")
            try await Node.waitForEvent("FamilyNotServed", on: "Node", containing: "modprobe \(module)")
            try await Node.expectAnswers([served])
            try await Node.expectHealthy()
        }

        @Test func `of a scheduler that a Service requests is an Event on the Service, which gets the default scheduler`() async throws {
            try await beginWithServer()
            try await Modules.hide("ip_vs_lblc")
            try await world.start(flags: World.apiFlags)
            try await server.request(
                "POST", "/api/v1/namespaces/default/services",
                #"{"apiVersion":"v1","kind":"Service","metadata":{"name":"odd","annotations":{"kube-ipvs-proxy.io/scheduler":"lblc"}},"#
                    + #""spec":{"clusterIP":"10.96.0.77","clusterIPs":["10.96.0.77"],"ports":[{"port":80,"protocol":"TCP"}]}}"#)
            try await Node.waitForEvent("InvalidAnnotation", on: "Service", containing: "is not available in this node's kernel")
            #expect(try await Shell.output(in: "node1", "ipvsadm -S -n").contains("-A -t 10.96.0.77:80 -s rr"))
        }

        @Test func `nf_conntrack_netlink is a warning, and everything else works`() async throws {
            try await begin()
            try await Modules.hide("nf_conntrack_netlink")
            try await world.start()
            let log = try await world.log()
            #expect(log.contains("Conntrack entries cannot be flushed"), "\(log)")
            #expect(log.contains("load the module nf_conntrack_netlink (modprobe nf_conntrack_netlink)"), "\(log)")
            try await Node.expectAnswers()
            try await world.write("slices.yaml", Manifests.slices(["pod-b"]))
            try await world.wait(for: "the removal of endpoints") {
                let answers = try await Answers.ask(from: "pod-a", "udp", Manifests.clusterIP, Manifests.port, "--count 3")
                return answers.responders == ["pod-b": 3]
            }
            try await Node.expectHealthy()
            #expect(try await !world.log().contains("Operation failed"))
        }

        /// The kernel loads modules itself, from the file system of the node, and not from that of the container.
        @Test(arguments: [
            "unshare --mount bash -c 'mount -t tmpfs tmpfs /lib/modules; exec \"$@\"' container",
            "env PATH=\(Place.scratch)/without-modprobe",
        ])
        func `is loaded by the kernel, if the container has no modules or no modprobe`(container: String) async throws {
            try await begin()
            try await Shell.output(
                """
                rm -rf \(Place.scratch)/without-modprobe; mkdir \(Place.scratch)/without-modprobe
                ln -s /usr/bin/* /usr/sbin/* \(Place.scratch)/without-modprobe 2>/dev/null || true; rm \(Place.scratch)/without-modprobe/modprobe
                """)
            for module in ["ip_vs_rr", "dummy", "xt_set", "nf_conntrack_netlink", "ip_set_hash_ip"] { try await Modules.remove(module) }
            try await world.launch(through: container)
            try await world.waitForLog("Kernel state in sync")
            try await Node.expectAnswers()
            try await Node.expectHealthy()
        }
    }

    /// The environment of the proxy restricts it.
    @Suite struct `A restricted environment` {
        let world = World.shared

        private func begin() async throws {
            try await world.begin()
            try await world.write("web.yaml", Manifests.web())
            try await world.write("slices.yaml", Manifests.slices(World.pods))
        }

        private static let readOnly =
            "unshare --mount bash -c 'mount --bind /proc/sys /proc/sys; mount -o remount,ro,bind /proc/sys; exec \"$@\"' container"

        @Test func `with a read-only /proc/sys ends the start, until the node has the required settings`() async throws {
            try await begin()
            try await Shell.output(in: "node1", "echo 0 >/proc/sys/net/ipv4/ip_forward")
            try await Node.expectExit(
                "", through: Self.readOnly, with: "=1: Read-only file system: /proc/sys is read-only: set it on the node in /etc/sysctl.d")
            try await Shell.output(
                in: "node1",
                """
                for name in ip_forward vs/conntrack vs/expire_nodest_conn vs/expire_quiescent_template; do
                    echo 1 >/proc/sys/net/ipv4/$name
                done
                """)
            try await world.launch(through: Self.readOnly)
            try await world.waitForLog("Kernel state in sync")
            try await Node.expectAnswers()
            try await Node.expectHealthy()
        }

        private static let hasUserNamespaces = FileManager.default.fileExists(atPath: "/proc/self/ns/user")

        @Test(.enabled(if: hasUserNamespaces)) func `in a user namespace ends the start, as IPVS is not permitted there`() async throws {
            try await begin()
            try await Node.expectExit(
                "", through: "unshare --user --map-root-user --net", with: "operation not permitted: this process is in a user namespace",
                "hostUsers: true")
        }

        @Test func `with IPv6 disabled serves IPv4 only, and reports a setting that belongs to the namespace of the host`() async throws {
            try await begin()
            let result = try await Shell.attempt(
                """
                unshare --net bash -euc '
                    [ ! -e /proc/sys/net/ipv6 ] || echo 1 >/proc/sys/net/ipv6/conf/all/disable_ipv6
                    ip link set lo up
                    exec "$@"
                ' container timeout 120 \(Place.proxy) --once \(World.flags) --conntrack-max-per-core 1 --conntrack-min 4321
                """)
            #expect(result.succeeded, "\(result.output)")
            let lines = result.output.split(separator: "\n")
            #expect(
                lines.contains { $0.contains(Place.detected) && $0.contains("IPv4") && !$0.contains("IPv6") }, "\(result.output)")
            #expect(!lines.contains { $0.contains("Not serving IP family") }, "\(result.output)")
            #expect(
                lines.contains {
                    $0.contains("Failed to change kernel setting") && $0.contains("net.netfilter.nf_conntrack_max=")
                        && $0.contains("only root in the network namespace of the host may change it")
                }, "\(result.output)")
        }

        @Test(.enabled(if: Place.hasIPTables, "requires iptables")) func `without an extension of iptables names it, and not the kernel`()
            async throws
        {
            try await begin()
            let folder = "\(Place.scratch)/extensions"
            try await Shell.output(
                """
                rm -rf \(folder); mkdir \(folder)
                ln -s "$(dirname "$(find /usr/lib /usr/lib64 -name libxt_set.so -print -quit)")"/* \(folder); rm \(folder)/libxt_set.so
                """)
            let once = try await Shell.attempt(
                "ip netns exec node1 env XTABLES_LIBDIR=\(folder) \(Place.proxy) --once \(World.flags) --packet-filter iptables")
            #expect(!once.succeeded && once.output.contains("the program has no match set: install the complete package"), "\(once.output)")
            #expect(!once.output.contains("the kernel has no"), "\(once.output)")
        }
    }
}
