import KernelTestSupport
import FoundationEssentials
import Testing

extension Scenarios {
    @Suite struct `The configuration file` {
        private let world = World.shared
        private let file = "\(Place.scratch)/config.conf"

        private func write(_ fields: String) throws {
            let text = """
                apiVersion: kubeproxy.config.k8s.io/v1alpha1
                kind: KubeProxyConfiguration
                mode: ipvs
                hostnameOverride: node1
                clusterCIDR: 10.244.0.0/16,fd00:244::/32
                \(fields)

                """
            try Data(text.utf8).write(to: URL(filePath: file))
        }

        private var flags: String {
            "--config \(file) --manifests \(Place.manifests) --service-cluster-ip-range 10.96.0.0/12,fd00:96::/112 --state-directory \(Place.state) \(Place.filterFlag)"
        }

        private func prepare() async throws {
            try await world.begin()
            try await world.write("web.yaml", Manifests.web())
        }

        @Test func `configures everything, and a change of it ends the program without changing the kernel`() async throws {
            try await prepare()
            try write(
                "ipvs: {scheduler: lc, tcpTimeout: 2h, tcpFinTimeout: 90s, strictARP: true, minSyncPeriod: 0s}\nconntrack: {udpTimeout: 31s}"
            )
            try await world.start(flags: flags)
            let table = try await Shell.output(in: "node1", "ipvsadm -Sn")
            #expect(table.contains("-s lc"), "\(table)")
            let timeouts = try await Shell.output(in: "node1", "ipvsadm -L --timeout")
            #expect(timeouts.contains("7200 90 300"), "\(timeouts)")
            let sysctls = try await Shell.output(
                in: "node1",
                "cat /proc/sys/net/ipv4/conf/all/arp_ignore /proc/sys/net/ipv4/conf/all/arp_announce /proc/sys/net/netfilter/nf_conntrack_udp_timeout"
            )
            #expect(sysctls.split(whereSeparator: \.isWhitespace) == ["1", "2", "31"])

            let process = try #require(await world.proxy)
            try write("ipvs: {scheduler: wrr}")
            try await world.wait(for: "the end of the proxy") { try await !Shell.attempt("kill -0 \(process)").succeeded }
            let log = try await world.log()
            #expect(log.contains("Error: content of the proxy server's configuration file was updated"), "\(log)")
            #expect(try await Shell.output(in: "node1", "ipvsadm -Sn") == table)

            // Like a restart by its supervisor.
            try await world.start(flags: flags)
            #expect(try await Shell.output(in: "node1", "ipvsadm -Sn").contains("-s wrr"))
            try await world.kill()
            let cleanup = try await Shell.attempt("ip netns exec node1 \(Place.proxy) \(flags) --cleanup")
            #expect(cleanup.succeeded, "\(cleanup.output)")
            #expect(try await Shell.output(in: "node1", "ipvsadm -Sn").isEmpty)
            #expect(try await Shell.output(in: "node1", "cat /proc/sys/net/ipv4/conf/all/arp_ignore") == "0")
        }

        @Test func `is applied by --init-only, so that the next start changes no kernel settings`() async throws {
            try await prepare()
            try write("ipvs: {strictARP: true}")
            let first = try await Shell.attempt("ip netns exec node1 \(Place.proxy) \(flags) --init-only")
            #expect(first.succeeded, "\(first.output)")
            #expect(try await Shell.output(in: "node1", "ipvsadm -Sn").isEmpty)
            #expect(try await Shell.output(in: "node1", "cat /proc/sys/net/ipv4/ip_forward") == "1")
            let start = try await Shell.attempt("ip netns exec node1 \(Place.proxy) \(flags) --once")
            #expect(start.succeeded && !start.output.contains("Changed kernel setting"), "\(start.output)")
        }
    }
}
