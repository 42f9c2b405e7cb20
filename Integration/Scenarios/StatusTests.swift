import KernelTestSupport
import Testing

extension Scenarios {
    /// `kube-ipvs-proxy status` with a running proxy.
    @Suite struct `The status command` {
        let world = World.shared
        private static let state = "--state-directory \(Place.state)"
        private static let socket = "\(Place.state)/status.sock"

        private func status(_ arguments: String) async throws -> Shell.Result {
            try await Shell.attempt("ip netns exec node1 \(Place.proxy) status \(arguments) \(Self.state)")
        }

        private func serve(_ flags: String = "") async throws {
            try await world.begin()
            try await world.write("web.yaml", Manifests.web())
            try await world.write("slices.yaml", Manifests.slices(World.pods))
            let idle = Manifests.web(name: "idle", address: "10.96.0.20", address6: "fd00:96::20", nodePort: nil)
            try await world.write("idle.yaml", idle.replacing("name: idle,", with: "name: idle, labels: {app: idle, tier: back},"))
            try await world.start(flags)
            try await world.wait(for: "the socket") { try await Shell.attempt("test -S \(Self.socket)").succeeded }
        }

        @Test func `names the Service of each address, and why it has no real servers`() async throws {
            try await serve()
            try await Shell.output(in: "node1", "ipvsadm -A -t 192.0.2.10:80 -s wlc")
            let table = try await status("")
            #expect(table.succeeded)
            for words in [
                ["TCP  10.96.0.10:80", "default/web:tcp", "ClusterIP", "rr"], ["UDP  10.99.0.2:30080", "default/web:udp", "NodePort"],
                ["  -> 10.244.1.10:8080", "Masq", "node1"], ["the Service has no selector and no EndpointSlice"],
                ["TCP  192.0.2.10:80", "-", "wlc"],
            ] {
                #expect(
                    table.output.split(separator: "\n").contains { line in words.allSatisfy { line.contains($0) } },
                    "\(words)\n\(table.output)")
            }
            #expect(try await status("--service idle -o name").output.split(separator: "\n").count == 6)
            try await Shell.output(in: "node1", "ipvsadm -A -f 7 -s wlc")
            for (selector, count) in [("tier in (back,front),app!=web", 6), ("!app", 18), ("app=web", 0)] {
                let names = try await status("--selector '\(selector)' -o name")
                #expect(names.succeeded && names.output.split(separator: "\n").count == count, "\(selector): \(names.output)")
            }
            #expect(try await status("--selector 'app in web'").output.contains("values must be in parentheses"))
            let json = try await status("-o json --service web")
            #expect(json.output.contains("\"addressKind\" : \"NodePort\"") && json.output.contains("\"proxyAnswered\" : true"))
            #expect(try await status("-o yaml").output.hasPrefix("apiVersion: kube-ipvs-proxy/v1alpha1\n"))
        }

        @Test func `finds a proxy with another state directory, and names the flag for it`() async throws {
            try await serve()
            func run(_ arguments: String) async throws -> Shell.Result {
                try await Shell.attempt("ip netns exec node1 \(Place.proxy) \(arguments)")
            }
            for arguments in ["status", "status explain web:tcp"] {
                let found = try await run(arguments)
                #expect(found.output.contains("default/web:tcp") && !found.output.contains("no proxy answers"), "\(found.output)")
            }
            #expect(try await run("status check").output == "Kernel state in sync with the running proxy.")
            let elsewhere = try await run("status --state-directory /run/elsewhere")
            #expect(
                elsewhere.output.contains(
                    "no proxy answers on /run/elsewhere/status.sock: No such file or directory; a proxy listens on \(Self.socket): "
                        + "set --state-directory to \(Place.state)"), "\(elsewhere.output)")
            // The original kernel settings are recorded there too.
            let cleanup = try await run("cleanup --dry-run \(Place.filterFlag)")
            #expect(
                cleanup.output.contains("sysctl -w net.ipv4.ip_forward=0") || cleanup.output.contains("net/ipv4/ip_forward"),
                "\(cleanup.output)")
            #expect(cleanup.output.contains("A proxy runs with --state-directory \(Place.state)"), "\(cleanup.output)")
            // A proxy in another network or an untrusted directory is not found.
            let outside = try await Shell.attempt("ip netns exec outside \(Place.proxy) status --state-directory /run/elsewhere")
            #expect(!outside.output.contains("a proxy listens on"), "\(outside.output)")
            try await Shell.output("chmod 777 \(Place.state)")
            let open = try await run("status")
            try await Shell.output("chmod 755 \(Place.state)")
            #expect(open.output.contains("no proxy answers on /run/kube-ipvs-proxy/status.sock") && !open.output.contains(Self.socket))
        }

        @Test func `watch marks added lines, and removed ones with their virtual server`() async throws {
            try await serve()
            let output = "\(Place.scratch)/watch"
            let watch = try await Shell.output(
                "touch \(output); setsid ip netns exec node1 \(Place.proxy) status --watch --service web \(Self.state) </dev/null >\(output) 2>&1 & echo $!"
            )
            try await world.wait(for: "the first table") { try String(ofFile: output).contains("default/web:tcp") }
            try await world.write("slices.yaml", Manifests.slices(["pod-a"]))
            try await world.wait(for: "the removed line") { try String(ofFile: output).contains("\n-   -> 10.244.1.11:8080") }
            try await Shell.output("kill -KILL \(watch)")
            let lines = try String(ofFile: output).split(separator: "\n")
            let removed = try #require(lines.firstIndex { $0.hasPrefix("-   -> 10.244.1.11:8080") })
            let above = lines[..<removed].last { !$0.hasPrefix("-") }
            #expect(above?.contains("10.96.0.10:80") == true && above?.contains("default/web:tcp") == true, "\(lines[..<removed])")
        }

        @Test func `works with the kernel only if no proxy runs, and says so`() async throws {
            try await serve()
            try await world.kill()
            let start = ContinuousClock.now
            let table = try await status("")
            #expect(start.duration(to: .now) < .seconds(60), "it does not wait for a proxy that has stopped")
            #expect(
                table.succeeded && table.output.contains("no proxy answers on") && table.output.contains("10.96.0.10:80"), "\(table.output)"
            )
            let selected = try await status("--selector app=web")
            #expect(!selected.succeeded && selected.output.contains("no proxy answers on"), "the kernel has no labels")
            let check = try await Shell.attempt("ip netns exec node1 \(Place.proxy) status check \(Self.state) || echo exit $?")
            #expect(check.output.hasSuffix("exit 2"), "\(check.output)")
        }

        @Test func `check lists differences and then exits with 1`() async throws {
            // Without an audit, which would repair them.
            try await serve("--ipvs-sync-period 10h")
            let good = try await status("check")
            #expect(good.succeeded && good.output == "Kernel state in sync with the running proxy.", "\(good.output)")
            // Not what the kernel announces (addresses, nftables), which is repaired at once.
            let removal = Place.hasIPTables ? NodeFilter.removing("10.96.0.10,tcp:80", from: "KUBE-CLUSTER-IP") : "true"
            try await Shell.output(
                in: "node1",
                "ipvsadm -e -t 10.96.0.10:80 -r 10.244.1.10:8080 -m -w 7; ipvsadm -d -u 10.96.0.10:80 -r 10.244.1.11:8080; \(removal)")
            let bad = try await status("check")
            #expect(!bad.succeeded)
            var lines = [
                "ipvsadm -e -t 10.96.0.10:80 -r 10.244.1.10:8080 -m -w 1  # default/web:tcp (ClusterIP)",
                "ipvsadm -a -u 10.96.0.10:80 -r 10.244.1.11:8080 -m -w 1",
            ]
            if Place.hasIPTables { lines.append(NodeFilter.adding("10.96.0.10,tcp:80", to: "KUBE-CLUSTER-IP")) }
            for line in lines {
                #expect(bad.output.contains(line), "\(line)\n\(bad.output)")
            }
            // The check repairs nothing.
            #expect(try await Shell.output(in: "node1", "ipvsadm -S -n -t 2>/dev/null || ipvsadm -S -n").contains("-w 7"))
        }

        @Test func `explain shows the path of a packet, and its obstacles`() async throws {
            try await serve()
            let good = try await status("explain 10.96.0.10:80/TCP \(Place.filterFlag)")
            #expect(good.succeeded, "\(good.output)")
            for text in ["is default/web:tcp (ClusterIP)", "10.96.0.10,tcp:80 is in KUBE-CLUSTER-IP", "  -> 10.244.1.10:8080  weight 1"] {
                #expect(good.output.contains(text), "\(text)\n\(good.output)")
            }
            let empty = try await status("explain default/idle:tcp \(Place.filterFlag)")
            #expect(!empty.succeeded && empty.output.contains("the virtual server has no real servers"), "\(empty.output)")
        }

        @Test func `the socket answers only root`() async throws {
            try await serve()
            let asked = "curl --silent --show-error --max-time 20 --unix-socket \(Self.socket) http://proxy/state"
            #expect(try await Shell.output(asked).contains("\"kind\":\"ProxyState\""))
            #expect(try await Shell.output("stat --format %a \(Self.socket)") == "600")
            try await Shell.output("chmod 777 \(Self.socket)")
            let others = try await Shell.attempt("setpriv --reuid 65534 --regid 65534 --clear-groups \(asked)")
            #expect(!others.succeeded && !others.output.contains("ProxyState"), "\(others.output)")
        }
    }
}
