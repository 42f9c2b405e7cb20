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
        #expect(
            defaults.healthzBindAddress?.description == "0.0.0.0:10256" && defaults.metricsBindAddress?.description == "127.0.0.1:10249")
        #expect(defaults.oomScoreAdj == -999 && !defaults.strictARP)
        #expect(defaults.conntrack.maxPerCore == 32768 && defaults.conntrack.min == 131072)
        #expect(defaults.conntrack.tcpEstablishedTimeout == .seconds(86400) && defaults.conntrack.tcpCloseWaitTimeout == .seconds(3600))
    }

    @Test func `listens on the configured address`() throws {
        let other = try configuration { $0.healthzBindAddress = "[fd00::1]:80" }
        #expect(other.healthzBindAddress?.description == "[fd00::1]:80")
    }

    @Test(arguments: ["10.0.0.1:", "10.0.0.1:65536", "localhost:80", ":80"])
    func `refuses a bind address that is not IP:port`(text: String) {
        #expect { try configuration { $0.healthzBindAddress = text } } throws: {
            ($0 as? ConfigurationError)?.flags == ["--healthz-bind-address"]
        }
    }

    @Test func `trims and lowercases a node name`() throws {
        #expect(try configuration { $0.hostnameOverride = "  Bar " }.nodeName == "bar")
    }

    @Test func `accepts two ranges of different families`() throws {
        let two = try configuration { $0.clusterCIDR = "10.244.0.0/16,fd00:244::/32" }
        #expect(two.localTraffic == .clusterCIDR([try #require(CIDR("10.244.0.0/16")), try #require(CIDR("fd00:244::/32"))]))
    }

    @Test func `has no server if its port is 0 or the metrics address is empty`() throws {
        #expect(try configuration { $0.healthzPort = 0 }.healthzBindAddress == nil)
        #expect(try configuration { $0.metricsPort = 0 }.metricsBindAddress == nil)
        #expect(try configuration { $0.metricsBindAddress = "" }.metricsBindAddress == nil)
        #expect(try configuration { $0.healthzBindAddress = "" }.healthzBindAddress?.description == "0.0.0.0:10256")
    }

    @Test(arguments: [
        Mistake("--hostname-override") { $0.hostnameOverride = "   " },
        Mistake("--ipvs-scheduler") { $0.ipvsScheduler = "no such" },
        Mistake("--ipvs-sync-period") {
            $0.ipvsSyncPeriod = .zero; $0.ipvsMinSyncPeriod = .zero
        },
        Mistake("--ipvs-min-sync-period") { $0.ipvsMinSyncPeriod = .seconds(-1) },
        Mistake("--ipvs-min-sync-period") { $0.ipvsMinSyncPeriod = .seconds(31) },
        Mistake("--ipvs-exclude-cidrs") { $0.ipvsExcludeCIDRs = ["10.0.0.0/33"] },
        Mistake("--iptables-masquerade-bit") { $0.masqueradeBit = 32 },
        Mistake("--nodeport-addresses") { $0.nodePortAddresses = ["10.0.0.1"] },
        Mistake("--nodeport-addresses") { $0.nodePortAddresses = ["primary", "10.0.0.0/8"] },
        Mistake("--other-node-addresses") { $0.otherNodeAddresses = "all" },
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
        Mistake("--packet-filter") { $0.packetFilter = "nft" },
        Mistake("--service-addresses") { $0.serviceAddresses = "Route" },
        Mistake("--iptables-backend") {
            $0.packetFilter = "nftables"; $0.iptablesBackend = "nft"
        },
        Mistake("--service-cluster-ip-range") { $0.serviceClusterIPRange = "10.96.0.0" },
        Mistake("--proxy-mode") { $0.proxyMode = "iptables" },
        Mistake("--bind-address") { $0.bindAddress = "host" },
        Mistake("--healthz-bind-address") { $0.healthzBindAddress = "host:1" },
        Mistake("--metrics-bind-address") { $0.metricsBindAddress = "1.2.3.4:x" },
        Mistake("--vmodule") { $0.logging.vmodule = "file" },
        Mistake("--log-json-info-buffer-size") { $0.logging.jsonInfoBufferSize = "much" },
        Mistake("--log-text-split-stream") { $0.logging.textSplitStream = true },
    ])
    fileprivate func `refuses invalid values and names the flag`(mistake: Mistake) throws {
        let error = #expect(throws: ConfigurationError.self) { try configuration(mistake.change) }
        #expect(error?.flags == [mistake.flag])
    }

    @Test func `reports all errors at once`() {
        let error = #expect(throws: ConfigurationError.self) {
            try configuration {
                $0.masqueradeBit = -1
                $0.clusterCIDR = "x"
                $0.drainTimeout = "x"
            }
        }
        #expect(error?.problems.count == 1 && error?.fields.count == 2)
    }
}

@Suite struct `Durations` {
    @Test(arguments: [
        ("30s", Duration.seconds(30)), ("1m30s", .seconds(90)), ("500ms", .milliseconds(500)), ("0", .zero), ("0s", .zero),
        ("1.5h", .seconds(5400)), ("-2s", .seconds(-2)), ("1h0m1s", .seconds(3601)), ("250us", .microseconds(250)), ("+1s", .seconds(1)),
        (".5s", .milliseconds(500)), ("1.s", .seconds(1)), ("1.000000001s", .nanoseconds(1_000_000_001)), ("0.5ns", .zero),
    ])
    func `are parsed as by Go`(text: String, duration: Duration) throws {
        #expect(try #require(GoDuration(text)).duration == duration)
    }

    @Test(arguments: ["", "5", "s", "1x", "1s1", "--1s", "1 s", "99999999999h", "1..5s", ".s", "-", "+", "9223372036854775808ns", "٣s"])
    func `that Go refuses are refused`(text: String) {
        #expect(GoDuration(text) == nil)
    }

    @Test(arguments: [
        "30s", "1m30s", "500ms", "0s", "1h0m1s", "15m0s", "1.5s", "-2s", "1m0.000000001s", "250µs", "1.25ms", "7ns", "2540400h10m10s",
    ])
    func `are formatted as by Go`(text: String) throws {
        #expect(try #require(GoDuration(text)).description == text)
    }

    @Test func `stay the same when formatted and parsed again`() throws {
        for nanoseconds in [Int64.min, -1, 1, 999, 1001, 60_000_000_001, 3_599_999_999_999, .max] {
            let duration = GoDuration(nanoseconds: nanoseconds)
            #expect(GoDuration(duration.description) == duration, "\(duration)")
        }
        #expect(GoDuration(Duration.seconds(1 << 40)).nanoseconds == .max && GoDuration(Duration.seconds(-1 << 40)).nanoseconds == .min)
    }
}
