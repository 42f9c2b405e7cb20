import KernelTestSupport
import Testing

extension Scenarios {
    /// The proxy starts while a probe of the node fails.
    @Suite struct `A start with a failing probe` {
        let world = World.shared

        private func begin() async throws {
            // Releases the lock of an earlier scenario that failed.
            try await release()
            try await world.begin()
            try await world.write("web.yaml", Manifests.web())
            try await world.write("slices.yaml", Manifests.slices(World.pods))
        }

        private static let lock = "/run/xtables.lock"
        /// The lock is held while this file exists.
        private static let flag = "\(Place.scratch)/lock-is-held"

        private static let hasLock = ConditionTrait.enabled(if: Place.iptables == "legacy", "only iptables-legacy has a lock")
        private static let hasIPTables = ConditionTrait.enabled(if: Place.hasIPTables, "nftables is probed without a program")

        private func holdLock() async throws {
            try await Shell.output(
                "touch \(Self.flag); (setsid flock -x \(Self.lock) bash -c 'while [ -e \(Self.flag) ]; do sleep 0.2; done' </dev/null >/dev/null 2>&1 &); "
                    + "while flock --nonblock \(Self.lock) true; do sleep 0.1; done")
        }

        private func release() async throws { try await Shell.output("rm -f \(Self.flag); flock \(Self.lock) true") }

        private func health(_ path: String) async throws -> String {
            try await Shell.output(
                in: "node1", "curl --silent --max-time 10 --write-out ' %{http_code}' http://127.0.0.1:10256/\(path)")
        }

        private func expectBothFamilies() async throws {
            for address in [Manifests.clusterIP, Manifests.clusterIP6] {
                let answers = try await Answers.ask(from: "pod-a", "tcp", address, Manifests.port)
                #expect(answers.failed == 0 && answers.responders.count == 3, "\(address): \(answers)")
            }
            #expect(try await health("healthz").hasSuffix(" 200"))
        }

        @Test(Self.hasLock)
        func `serves both families once the iptables lock is free, and reports the reason while waiting`() async throws {
            try await begin()
            try await holdLock()
            try await world.launch()
            try await world.waitForLog("Node probe failed; retrying")
            let healthz = try await health("healthz")
            #expect(healthz.hasSuffix(" 503") && healthz.contains(#""waitingFor":"packet filter: "#), "\(healthz)")
            #expect(healthz.contains("another program holds the xtables lock") && healthz.contains(Self.lock), "\(healthz)")
            #expect(try await health("livez").hasSuffix(" 200"))
            // Twelve seconds in total: the first family's probe has failed by then, and the second one's would succeed.
            try await Task.sleep(for: .seconds(7))
            try await release()
            try await world.waitForLog("Kernel state in sync")
            try await expectBothFamilies()
        }

        @Test(Self.hasLock)
        func `waits without a time limit and stays live`() async throws {
            try await begin()
            try await holdLock()
            try await world.launch("--cluster-cidr 10.244.0.0/16")
            try await world.wait(for: "more attempts than fit in 30 seconds") {
                try await world.log().contains(#"attempt="5""#)
            }
            let process = try #require(await world.proxy)
            #expect(try await Shell.attempt("kill -0 \(process)").succeeded)
            #expect(try await health("healthz").hasSuffix(" 503"))
            #expect(try await health("livez").hasSuffix(" 200"))
            try await release()
            try await world.waitForLog("Kernel state in sync")
            try await expectBothFamilies()
        }

        @Test(Self.hasIPTables) func `ends at once on SIGTERM`() async throws {
            try await begin()
            let path = "\(Place.scratch)/hanging-probe"
            try await Shell.output(
                """
                rm -rf \(path); mkdir \(path)
                printf '#!/bin/sh\\ntouch \(path)/started\\nexec sleep 600\\n' >\(path)/iptables-\(Place.iptables)-restore
                chmod +x \(path)/iptables-\(Place.iptables)-restore
                """)
            try await world.launch(path: path)
            try await world.wait(for: "the probe") { try await Shell.attempt("[ -e \(path)/started ]").succeeded }
            let start = ContinuousClock.now
            try await world.terminate()
            // Less than the proxy's time limit for programs.
            #expect(start.duration(to: .now) < .seconds(45))
        }

        /// The second family's probe fails after the first one's has succeeded.
        @Test(Self.hasIPTables) func `of IPv6 only does not make the proxy serve IPv4 only`() async throws {
            try await begin()
            let path = "\(Place.scratch)/stand-in"
            try await Shell.output(
                """
                mkdir -p \(path)
                cat >\(path)/ip6tables-\(Place.iptables)-restore <<'SCRIPT'
                #!/bin/bash
                echo >>\(path)/count
                if (($(wc -l <\(path)/count) <= 2)); then
                    echo "Another app is currently holding the xtables lock. Stopped waiting after 5s." >&2
                    exit 4
                fi
                exec /usr/sbin/ip6tables-\(Place.iptables)-restore "$@"
                SCRIPT
                rm -f \(path)/count
                chmod +x \(path)/ip6tables-\(Place.iptables)-restore
                """)
            try await world.launch(path: path)
            try await world.waitForLog("Kernel state in sync")
            let log = try await world.log()
            #expect(log.contains(#"attempt="2""#) && log.contains("Node probe succeeded"), "\(log)")
            try await expectBothFamilies()
        }

        @Test(Self.hasLock, arguments: ["--once", "--init-only"])
        func `of a one-time command fails after a while with the cause`(command: String) async throws {
            try await begin()
            try await holdLock()
            let result = try await Shell.attempt("ip netns exec node1 \(Place.proxy) run \(World.flags) \(command)")
            try await release()
            #expect(!result.succeeded)
            let error = result.output.split(separator: "\n").last ?? ""
            #expect(error.hasPrefix("Error: iptables") && error.contains("another program holds the xtables lock"), "\(result.output)")
            #expect(error.contains("gave up after"), "\(result.output)")
        }
    }
}
