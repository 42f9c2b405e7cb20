import KubeProxyConfiguration
import Model
import Testing
import Translation

private func configuration(_ change: (inout FlagValues) -> Void) throws -> ProxyConfiguration {
    var flags = FlagValues()
    change(&flags)
    return try ProxyConfiguration(flags, hostname: "Node1.Example")
}

private struct Mistake: CustomTestStringConvertible {
    let flag: String
    let change: @Sendable (inout FlagValues) -> Void
    var testDescription: String { flag }

    init(_ flag: String, _ change: @escaping @Sendable (inout FlagValues) -> Void) { (self.flag, self.change) = (flag, change) }
}

@Suite struct `The configuration` {
    @Test func `has kube-proxy's defaults`() throws {
        let defaults = try configuration { _ in }
        #expect(defaults.nodeName == "node1.example")
        #expect(defaults.scheduler == .roundRobin)
        #expect(defaults.syncPeriod == .seconds(30) && defaults.minSyncPeriod == .seconds(1))
        #expect(defaults.masqueradeBit == 14 && !defaults.masqueradeAll)
        #expect(defaults.localTraffic == .clusterCIDR([]) && defaults.nodePortAddresses == .all)
        #expect(!defaults.localhostNodePorts)
    }

    @Test func `listens where kube-proxy does, elsewhere, or nowhere`() throws {
        let defaults = try configuration { _ in }
        #expect(defaults.healthzBindAddress?.description == "0.0.0.0:10256")
        #expect(defaults.metricsBindAddress?.description == "127.0.0.1:10249")
        let other = try configuration { ($0.healthzBindAddress, $0.metricsBindAddress) = ("[fd00::1]:80", "") }
        #expect(other.healthzBindAddress?.description == "[fd00::1]:80" && other.metricsBindAddress == nil)
    }

    @Test(arguments: ["0.0.0.0", "10.0.0.1:", "10.0.0.1:65536", "fd00::1:80", "[10.0.0.1]:80", "localhost:80", ":80"])
    func `refuses a bind address that is no IP and port`(text: String) {
        #expect { try configuration { $0.healthzBindAddress = text } } throws: { "\($0)".contains("--healthz-bind-address") }
    }

    @Test func `trims a node name and makes it lower case`() throws {
        #expect(try configuration { $0.hostnameOverride = "  Bar " }.nodeName == "bar")
    }

    @Test func `takes two ranges of different families`() throws {
        let two = try configuration { $0.clusterCIDR = "10.244.0.0/16,fd00:244::/32" }
        #expect(two.localTraffic == .clusterCIDR([try #require(CIDR("10.244.0.0/16")), try #require(CIDR("fd00:244::/32"))]))
    }

    @Test(arguments: [
        Mistake("--hostname-override") { $0.hostnameOverride = "   " },
        Mistake("--ipvs-scheduler") { $0.ipvsScheduler = "no such" },
        Mistake("--ipvs-sync-period") { $0.ipvsSyncPeriod = "0s" },
        Mistake("--ipvs-sync-period") { $0.ipvsSyncPeriod = "soon" },
        Mistake("--ipvs-min-sync-period") { $0.ipvsMinSyncPeriod = "-1s" },
        Mistake("--ipvs-min-sync-period") { $0.ipvsMinSyncPeriod = "31s" },
        Mistake("--ipvs-exclude-cidrs") { $0.ipvsExcludeCIDRs = ["10.0.0.0/33"] },
        Mistake("--iptables-masquerade-bit") { $0.masqueradeBit = 32 },
        Mistake("--nodeport-addresses") { $0.nodePortAddresses = ["10.0.0.1"] },
        Mistake("--nodeport-addresses") { $0.nodePortAddresses = ["primary", "10.0.0.0/8"] },
        Mistake("--external-ip-cidrs") { $0.externalIPCIDRs = ["192.0.2.0/24", "192.0.2.0"] },
        Mistake("--feature-gates") { $0.featureGates = ["AllowServiceExternalIPs"] },
        Mistake("--feature-gates") { $0.featureGates = ["AllowServiceExternalIPs=maybe"] },
        Mistake("--detect-local-mode") { $0.detectLocalMode = "Guess" },
        Mistake("--pod-bridge-interface") { $0.detectLocalMode = "BridgeInterface" },
        Mistake("--pod-interface-name-prefix") {
            $0.detectLocalMode = "InterfaceNamePrefix"; $0.podInterfaceNamePrefix = "a b"
        },
        Mistake("--cluster-cidr") { $0.clusterCIDR = "10.0.0.0/8,10.1.0.0/16" },
        Mistake("--cluster-cidr") { $0.clusterCIDR = "nonsense" },
        Mistake("--drain-timeout") { $0.drainTimeout = "-5m" },
        Mistake("--iptables-backend") { $0.iptablesBackend = "both" },
        Mistake("--service-cluster-ip-range") { $0.serviceClusterIPRange = "10.96.0.0" },
    ])
    fileprivate func `refuses what makes no sense and names the flag`(mistake: Mistake) throws {
        let error = #expect(throws: ConfigurationError.self) { try configuration(mistake.change) }
        #expect(error?.problems.map(\.flag) == [mistake.flag])
    }

    @Test func `tells everything that is wrong at once`() {
        let error = #expect(throws: ConfigurationError.self) {
            try configuration {
                $0.masqueradeBit = -1
                $0.clusterCIDR = "x"
            }
        }
        #expect(error?.problems.count == 2)
    }
}

@Suite struct `Durations` {
    @Test(arguments: [
        ("30s", Duration.seconds(30)), ("1m30s", .seconds(90)), ("500ms", .milliseconds(500)), ("0", .zero), ("0s", .zero),
        ("1.5h", .seconds(5400)),
        ("-2s", .seconds(-2)), ("1h0m1s", .seconds(3601)), ("250us", .microseconds(250)),
    ])
    func `are read as Go reads them`(text: String, duration: Duration) throws {
        #expect(try #require(GoDuration(text)).duration == duration)
    }

    @Test(arguments: ["", "5", "s", "1x", "1s1", "--1s", "1 s", "99999999999h", "1..5s"]) func `that Go refuses are refused`(text: String) {
        #expect(GoDuration(text) == nil)
    }

    @Test(arguments: ["30s", "1m30s", "500ms", "0s", "1h0m1s", "15m0s"]) func `are printed as Go prints them`(text: String) throws {
        #expect(try #require(GoDuration(text)).description == text)
    }
}
