import FoundationEssentials
import KernelTestSupport
import Testing

extension Scenarios {
    /// Several instances in one network namespace, and kube-proxy.
    @Suite struct `A second instance` {
        private let world = World.shared

        /// A further proxy on the node, with the same state directory.
        private struct Instance {
            let log: String
            let pid: Int

            static func start(_ name: String, _ more: String = "", through wrapper: String = "") async throws -> Instance {
                let log = "\(Place.scratch)/\(name).log"
                let command =
                    "ip netns exec node1 \(wrapper) \(Place.proxy) \(World.flags) --ipvs-min-sync-period 0s --v 4 \(more)"
                let pid = try await Shell.output("rm -f \(log); touch \(log); setsid \(command) </dev/null >\(log) 2>&1 & echo $!")
                let instance = Instance(log: log, pid: Int(pid) ?? 0)
                await World.shared.started(instance.pid)
                return instance
            }

            func wait(for text: String) async throws {
                // The text only explains a failure.
                try await World.shared.wait(for: "\"\(text)\" in \(log): \((try? String(ofFile: log).suffix(3000)) ?? "")") {
                    try String(ofFile: log).contains(text)
                }
            }

            func has(_ text: String) throws -> Bool { try String(ofFile: log).contains(text) }

            func line(_ text: String) throws -> String {
                try String(ofFile: log).split(separator: "\n").first { $0.contains(text) }.map(String.init) ?? ""
            }

            func end(_ signal: String = "TERM") async throws {
                try await Shell.output("kill -\(signal) \(pid); while kill -0 \(pid) 2>/dev/null; do sleep 0.05; done")
            }
        }

        private static let waiting = "Waiting as standby: another instance holds this network namespace"
        private static let ready = "Ready to take over"
        private static let inSync = "Kernel state in sync"

        /// Everything in the kernel that a proxy changes, and the file of the status socket.
        private func state() async throws -> String {
            let settings =
                "ipv4/vs ipv4/ip_forward ipv4/conf/all/arp_ignore ipv4/conf/all/arp_announce netfilter/nf_conntrack_tcp_be_liberal"
            let files = settings.split(separator: " ").map { "/proc/sys/net/\($0)" }.joined(separator: " ")
            let kernel = try await Shell.output(
                in: "node1",
                """
                ipvsadm -S -n; ip -oneline address; ip route show table local; ip -6 route show table local
                grep -rs . \(files) | sort; stat -c %i \(Place.state)/*.sock 2>/dev/null || true
                """)
            return try await ([kernel] + NodeFilter().dump()).joined(separator: "\n")
        }

        private func begin(_ pods: [String] = World.pods) async throws {
            try await world.begin()
            try await world.write("web.yaml", Manifests.web())
            try await world.write("slices.yaml", Manifests.slices(pods))
        }

        private func realServers() async throws -> Int {
            try await Shell.output(in: "node1", "ipvsadm -S -n").split(separator: "\n").count {
                $0.hasPrefix("-a -t \(Manifests.clusterIP):80 ")
            }
        }

        private func healthz() async throws -> String {
            try await Shell.output(
                in: "node1", "curl -s -o /dev/null -w '%{http_code}' --max-time 5 http://127.0.0.1:10256/healthz || true")
        }

        @Test(arguments: ["KILL", "TERM"])
        func `waits and changes nothing, and takes over when the first one ends`(signal: String) async throws {
            try await begin(["pod-a", "pod-b"])
            try await world.start()
            let holder = try #require(await world.proxy)
            let before = try await state()
            let standby = try await Instance.start("standby", "--ipvs-scheduler lc --ipvs-strict-arp --masquerade-all")
            try await standby.wait(for: Self.ready)
            let line = try standby.line(Self.waiting)
            #expect(line.contains("pid \(holder),") && line.contains("kube-ipvs-proxy"), "\(line)")
            #expect(try await state() == before)
            #expect(try await healthz() == "200", "of the first one")

            // The first one goes on working.
            try await world.write("slices.yaml", Manifests.slices(World.pods))
            try await world.wait(for: "the change by the first one") { try await realServers() == 3 }
            let client = try await TrafficClient.start(in: "pod-c", "ask tcp \(Manifests.clusterIP):80 --json --interval-ms 5")
            if signal == "KILL" { try await world.kill() } else { try await world.terminate() }
            try await standby.wait(for: Self.inSync)
            let table = try await Shell.output(in: "node1", "ipvsadm -S -n")
            #expect(table.contains("-A -t \(Manifests.clusterIP):80 -s lc"), "its own configuration is in effect: \(table)")
            #expect(try await Shell.output(in: "node1", "cat /proc/sys/net/ipv4/conf/all/arp_ignore") == "1")
            let answers = try Answers.decode(try await client.finish())
            #expect(answers.failed == 0 && answers.requests > 0, "\(answers)")
            try await world.wait(for: "its health server") { try await healthz() == "200" }
            let status = try await Shell.output(in: "node1", "\(Place.proxy) status --state-directory \(Place.state)")
            #expect(status.contains("default/web"), "its status socket: \(status)")
            try await world.write("slices.yaml", Manifests.slices(["pod-a"]))
            try await world.wait(for: "a later change") { try await realServers() < 3 }
            try await standby.end()
        }

        @Test func `waits for one that is stopped, and then programs what that one did not`() async throws {
            try await begin(["pod-a"])
            try await world.start()
            let holder = try #require(await world.proxy)
            let standby = try await Instance.start("standby")
            try await standby.wait(for: Self.ready)
            try await Shell.output("kill -STOP \(holder)")
            try await world.write("slices.yaml", Manifests.slices(World.pods))
            // Starts later, and gets no answer from the stopped one.
            let third = try await Instance.start("third")
            try await third.wait(for: Self.ready)
            let line = try third.line(Self.waiting)
            #expect(line.contains("pid \(holder)"), "\(line)")
            #expect(try await realServers() == 1)
            #expect(try !standby.has("Taking over"))
            try await world.kill()
            try await world.wait(for: "the change") { try await realServers() == 3 }
            // One of them serves, the other one waits for it.
            try await world.wait(for: "one of them") { try standby.has(Self.inSync) != third.has(Self.inSync) }
            let (first, second) = try standby.has(Self.inSync) ? (standby, third) : (third, standby)
            try await world.wait(for: "the name of the next holder") { try String(ofFile: second.log).contains("pid \(first.pid),") }
            try await first.end("KILL")
            try await second.wait(for: Self.inSync)
            try await second.end()
        }

        @Test func `that runs once or removes everything is refused, and names the holder`() async throws {
            try await begin()
            try await world.start()
            let holder = try #require(await world.proxy)
            let before = try await state()
            for command in ["run --once \(World.flags)", "cleanup --state-directory \(Place.state)", "run --cleanup \(World.flags)"] {
                let result = try await Shell.attempt("ip netns exec node1 \(Place.proxy) \(command)")
                #expect(!result.succeeded && result.output.contains("another instance of kube-ipvs-proxy holds this network namespace"))
                #expect(result.output.contains("pid \(holder),"), "\(result.output)")
            }
            #expect(try await state() == before)
            for command in [
                "plan \(World.flags)", "status --state-directory \(Place.state)", "status check --state-directory \(Place.state)",
                "cleanup --dry-run --state-directory \(Place.state)", "run --init-only \(World.flags)",
            ] {
                let result = try await Shell.attempt("ip netns exec node1 \(Place.proxy) \(command)")
                #expect(result.succeeded, "\(command): \(result.output)")
            }
            try await world.kill()
            #expect(try await Shell.attempt("ip netns exec node1 \(Place.proxy) --once \(World.flags)").succeeded)
        }

        @Test func `serves although a process that root did not start uses the name`() async throws {
            try await begin()
            let squatter = try await Shell.output(
                """
                setsid ip netns exec node1 setpriv --reuid 65534 --regid 65534 --clear-groups perl -MSocket -e '
                    socket(S, PF_UNIX, SOCK_STREAM, 0); bind(S, pack_sockaddr_un("\\0kube-ipvs-proxy")) or die; listen(S, 1); sleep 600' \
                    </dev/null >/dev/null 2>&1 & echo $!
                """)
            await world.started(Int(squatter))
            try await world.wait(for: "the socket") {
                try await Shell.output(in: "node1", "grep -c '@kube-ipvs-proxy$' /proc/net/unix || true") == "1"
            }
            try await world.start()
            let line = try await world.log().split(separator: "\n").first { $0.contains("Serving without holding") } ?? ""
            #expect(line.contains("uid=\"65534\"") && line.contains("pid=\"\(squatter)\""), "\(line)")
            #expect(try await realServers() == 3)
        }
    }

    @Suite struct `A kube-proxy on the node` {
        private let world = World.shared

        private static let waiting = "Waiting as standby: kube-proxy is running on this node"

        private func state() async throws -> String {
            let kernel = try await Shell.output(in: "node1", "ipvsadm -S -n; ip -oneline address; cat /proc/sys/net/ipv4/ip_forward")
            return try await ([kernel] + NodeFilter().dump()).joined(separator: "\n")
        }

        /// Programs that look like kube-proxy to the proxy.
        enum StandIn: String, CaseIterable {
            case process, server

            func start() async throws -> Int {
                let command =
                    switch self {
                    case .process:
                        "bash -c 'exec -a /usr/local/bin/kube-proxy \(Place.traffic) serve --name other --http 10200'"
                    case .server:
                        """
                        perl -MSocket -e '$SIG{PIPE} = "IGNORE"; socket(S, PF_INET, SOCK_STREAM, 0); setsockopt(S, SOL_SOCKET, SO_REUSEADDR, 1);
                            bind(S, sockaddr_in(10249, INADDR_LOOPBACK)) or die; listen(S, 9);
                            while (accept(C, S)) { sysread(C, $b, 4096); syswrite(C, "HTTP/1.0 200 OK\\r\\n\\r\\niptables"); close(C) }'
                        """
                    }
                let pid = Int(try await Shell.output("setsid ip netns exec node1 \(command) </dev/null >/dev/null 2>&1 & echo $!")) ?? 0
                await World.shared.started(pid)
                let port = self == .process ? 10200 : 10249
                try await World.shared.wait(for: "the stand-in") { try await Shell.output(in: "node1", "ss -Hltn 'sport = \(port)'") != "" }
                return pid
            }
        }

        @Test(arguments: StandIn.allCases)
        func `is named before anything is changed, and replaced when it ends`(standIn: StandIn) async throws {
            try await world.begin()
            try await world.write("web.yaml", Manifests.web())
            try await world.write("slices.yaml", Manifests.slices(World.pods))
            let before = try await state()
            let pid = try await standIn.start()
            try await world.launch()
            try await world.waitForLog(Self.waiting)
            try await world.waitForLog("Ready to take over")
            let line = try await world.log().split(separator: "\n").first { $0.contains(Self.waiting) } ?? ""
            switch standIn {
            case .process: #expect(line.contains("pid \(pid) (/usr/local/bin/kube-proxy"), "\(line)")
            case .server: #expect(line.contains("kube-proxy in mode iptables answers on 127.0.0.1:10249"), "\(line)")
            }
            #expect(try await state() == before)
            // It holds the namespace, so that it answers unless kube-proxy has the port.
            let health = try await Shell.output(in: "node1", "curl -s --max-time 5 http://127.0.0.1:10256/healthz")
            #expect(health.contains("\"healthy\":true") && health.contains("\"standbyFor\":\"kube-proxy: "), "\(health)")
            for command in ["--once \(World.flags)", "cleanup --state-directory \(Place.state)"] {
                #expect(try await !Shell.attempt("ip netns exec node1 \(Place.proxy) \(command)").succeeded)
            }
            try await Shell.output("kill -KILL \(pid)")
            try await world.waitForLog("Kernel state in sync")
            let answers = try await Answers.ask(from: "pod-a", "tcp", Manifests.clusterIP, Manifests.port)
            #expect(answers.failed == 0 && answers.responders.count == 3, "\(answers)")
            let metrics = try await Shell.output(
                in: "node1", "curl -s --max-time 5 http://127.0.0.1:10249/metrics | grep ^kube_ipvs_proxy_standby")
            #expect(metrics == "kube_ipvs_proxy_standby 0")
        }

        @Test(arguments: StandIn.allCases) func `refuses commands that change the kernel`(standIn: StandIn) async throws {
            try await world.begin()
            try await world.write("web.yaml", Manifests.web())
            let before = try await state()
            _ = try await standIn.start()
            for command in ["--once \(World.flags)", "cleanup --state-directory \(Place.state)"] {
                let result = try await Shell.attempt("ip netns exec node1 \(Place.proxy) \(command)")
                #expect(!result.succeeded && result.output.contains("kube-proxy is running on this node"), "\(result.output)")
            }
            #expect(try await state() == before)
        }
    }
}
