import FoundationEssentials
import KernelTestSupport
import Testing

extension Scenarios {
    /// The program on the command line.
    @Suite struct `The command` {
        let world = World.shared

        private func proxy(_ arguments: String) async throws -> Shell.Result {
            try await Shell.attempt("ip netns exec node1 \(Place.proxy) \(arguments)")
        }

        private func prepare() async throws {
            try await world.begin()
            try await world.write("web.yaml", Manifests.web())
            try await world.write("slices.yaml", Manifests.slices(World.pods))
        }

        @Test func `plan prints what a sync would do and changes nothing; after a sync it prints nothing`() async throws {
            try await prepare()
            let everything = "ipvsadm -S -n; ip link; cat /proc/sys/net/ipv4/ip_forward"
            let before = (try await Shell.output(in: "node1", everything), try await NodeFilter().dump())
            let plan = try await proxy("plan \(World.flags)")
            #expect(plan.succeeded)
            for line in [
                "ipvsadm -A -t 10.96.0.10:80 -s rr", "ipvsadm -a --sctp-service [fd00:96::10]:80 -r [fd00:244:1::10]:8080 -m -w 1",
                "ip address add 10.96.0.10/32 dev kube-ipvs0", NodeFilter.adding("30080", to: "KUBE-NODE-PORT-TCP"),
            ] {
                #expect(plan.output.contains(line), "\(line)")
            }
            #expect((try await Shell.output(in: "node1", everything), try await NodeFilter().dump()) == before)
            #expect(try await proxy("--once \(World.flags)").succeeded)
            #expect(try await proxy("plan \(World.flags)").output == "")
            let json = try await proxy("plan -o json \(World.flags)")
            #expect(json.output.contains("\"kind\" : \"Plan\""), "\(json.output)")
        }

        @Test func `run once reports its operations, and none the second time`() async throws {
            try await prepare()
            let first = try await proxy("--once \(World.flags)")
            #expect(first.succeeded && first.output.contains("addVirtualServer"), "\(first.output)")
            let second = try await proxy("run --once=true \(World.flags)")
            #expect(second.succeeded && second.output.contains("0 operations"), "\(second.output)")
        }

        @Test func `run once fails if an operation failed, and applies the rest`() async throws {
            try await prepare()
            // An interface with the device's name that is not a dummy is not ours and must not be changed.
            try await Shell.output(in: "node1", "ip link add kube-ipvs0 type bridge")
            let result = try await proxy("--once \(World.flags)")
            try await Shell.output(in: "node1", "ip link delete kube-ipvs0")
            #expect(!result.succeeded && result.output.contains("not dummy"), "\(result.output)")
        }

        @Test func `status prints what ipvsadm prints`() async throws {
            try await prepare()
            #expect(try await proxy("--once \(World.flags)").succeeded)
            try await Shell.output(
                in: "node1",
                "ipvsadm -A -f 7 -s lc -p 300; ipvsadm -a -f 7 -r 192.0.2.21:0 -m -w 2; ipvsadm -A -f 9 -6 -s rr; ipvsadm -A -u 192.0.2.9:53 -s sh -b sh-port -o"
            )
            for spelling in ["status -n", "status -L -n", "status -ln"] {
                let (ours, theirs) = (try await proxy(spelling).output, try await Shell.output(in: "node1", "ipvsadm -L -n"))
                #expect(ours == theirs, "\(spelling):\n\(ours)\n\(theirs)")
            }
            try await Shell.output(in: "node1", "ipvsadm -C")
        }

        @Test func `logs one JSON object per line if configured to`() async throws {
            try await prepare()
            let log = try await Shell.output(
                "ip netns exec node1 \(Place.proxy) --once \(World.flags) -v 4 --logging-format json 2>&1 >/dev/null")
            struct Line: Decodable {
                var ts: Double
                var caller, msg: String
                var v: Int?
                var operation: String?
            }
            let lines = try log.split(separator: "\n").map { try JSONDecoder().decode(Line.self, from: Data($0.utf8)) }
            #expect(lines.contains { $0.msg == "Synced" && $0.v == 0 && $0.caller.hasPrefix("NodeProxy/NodeProxy.swift:") })
            #expect(lines.contains { $0.msg == "Applied" && $0.v == 4 && $0.operation?.contains("ipvsadm -A -t 10.96.0.10:80 ") == true })
        }

        @Test(arguments: [
            ("--once --manifests /nowhere", "--manifests"), ("--once --manifests /tmp --ipvs-scheduler nosuch", "ip_vs_nosuch"),
            ("--once", "--manifests"), ("--once --manifests /tmp --iptables-masquerade-bit 99", "[0, 31]"),
        ])
        func `reports errors in one line and exits with 1`(arguments: String, message: String) async throws {
            try await world.begin()
            let result = try await proxy("\(arguments) --state-directory \(Place.state)")
            #expect(!result.succeeded && result.output.contains(message), "\(result.output)")
        }

        @Test(.enabled(if: Place.hasIPTables, "requires iptables")) func `without iptables names the package to install`() async throws {
            try await prepare()
            let result = try await Shell.attempt(
                "ip netns exec node1 env PATH=/nowhere \(Place.proxy) --once \(World.flags) --packet-filter iptables")
            let error = result.output.split(separator: "\n").last ?? ""
            #expect(!result.succeeded && error.contains("\(Place.iptables): not found"), "\(result.output)")
            #expect(error.contains("apt-get install iptables"), "\(result.output)")
        }

        @Test func `without privilege names the missing capability`() async throws {
            try await prepare()
            let result = try await Shell.attempt(
                "ip netns exec node1 setpriv --bounding-set=-net_admin \(Place.proxy) --once \(World.flags)")
            #expect(!result.succeeded && result.output.contains("CAP_NET_ADMIN"), "\(result.output)")
        }
    }
}
