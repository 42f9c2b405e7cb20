import Model
import Testing
import Translation

@testable import KubeProxyConfiguration

private func effective(_ text: String? = nil, _ change: (inout FlagValues) -> Void = { _ in }) throws -> KubeProxyConfiguration {
    var flags = FlagValues()
    change(&flags)
    let header = "apiVersion: kubeproxy.config.k8s.io/v1alpha1\nkind: KubeProxyConfiguration\n"
    return try KubeProxyConfiguration.effective(
        file: try text.map { try KubeProxyConfiguration.read(header + $0).configuration }, flags: flags)
}

@Suite struct `Flags with a file` {
    @Test func `M3: a host name is trimmed, refused if blank, and if empty leaves the file's value`() throws {
        #expect(try effective("hostnameOverride: foo") { $0.hostnameOverride = "  bar " }.hostnameOverride == "bar")
        #expect(try effective("hostnameOverride: foo") { $0.hostnameOverride = "" }.hostnameOverride == "foo")
        #expect(throws: ConfigurationError.self) { try effective("hostnameOverride: foo") { $0.hostnameOverride = "   " } }
    }

    @Test func `M4: sync periods apply in ipvs mode only, and cluster ranges are separated by commas`() throws {
        func periods(_ mode: String?) throws -> [GoDuration] {
            let result = try effective {
                $0.proxyMode = mode
                $0.ipvsSyncPeriod = .seconds(36)
                $0.ipvsMinSyncPeriod = .seconds(5)
            }
            return [result.syncPeriod, result.minSyncPeriod]
        }
        #expect(try periods("ipvs") == [.seconds(36), .seconds(5)] && periods(nil) == [.seconds(36), .seconds(5)])
        #expect(try periods("iptables") == [.seconds(30), .seconds(1)])
        #expect(try effective { $0.clusterCIDR = "2002:0:0:1234::/64,10.0.0.0/14" }.clusterCIDRs == ["2002:0:0:1234::/64", "10.0.0.0/14"])
    }

    @Test func `M5: an empty file gives the defaults of the flags, with two exceptions`() throws {
        var (flags, file) = (try effective { $0.proxyMode = "ipvs" }, try effective("mode: ipvs"))
        #expect(flags.minSyncPeriod == .seconds(1) && file.minSyncPeriod == .zero)
        flags.ipvs.minSyncPeriod = .zero
        #expect(flags == file)
        // The second: only in a file, an IPv6 bind address changes the addresses of the servers.
        let address = try effective("mode: ipvs\nbindAddress: \"::\"")
        #expect(address.healthzBindAddress == "[::]:10256" && address.metricsBindAddress == "[::1]:10249")
        let flag = try effective { $0.bindAddress = "::" }
        #expect(flag.healthzBindAddress == "0.0.0.0:10256" && flag.metricsBindAddress == "127.0.0.1:10249")
        file.bindAddress = "::"
        #expect(flag.bindAddress == file.bindAddress)
    }

    @Test func `M5: zeros are kept for connection tracking, but not for periods`() throws {
        let zeros = try effective(
            "conntrack: {maxPerCore: 0, min: 0, tcpEstablishedTimeout: 0s, tcpCloseWaitTimeout: 0s}\nconfigSyncPeriod: 0s\nipvs: {syncPeriod: 0s}\nmode: ipvs\noomScoreAdj: 0\nclientConnection: {qps: 0, burst: 0}"
        )
        #expect(zeros.conntrack.maxPerCore == 0 && zeros.conntrack.min == 0)
        #expect(zeros.conntrack.tcpEstablishedTimeout == .zero && zeros.conntrack.tcpCloseWaitTimeout == .zero && zeros.oomScoreAdj == 0)
        #expect(zeros.configSyncPeriod == .seconds(900) && zeros.syncPeriod == .seconds(30))
        #expect(zeros.clientConnection.qps == 5 && zeros.clientConnection.burst == 10)
    }

    @Test func `M5: logging flags override or precede the file's values; other flags are ignored`() throws {
        let text = """
            mode: ipvs
            logging:
              format: json
              flushFrequency: 1s
              verbosity: 10
              vmodule:
              - {filePattern: foo.go, verbosity: 6}
              - {filePattern: bar.go, verbosity: 8}
            """
        let both = try effective(text) {
            $0.logging.v = 7
            $0.logging.vmodule = "goo.go=8"
            $0.ipvsScheduler = "some-scheduler"
            $0.oomScoreAdj = 3
            $0.profiling = true
        }
        #expect(both.logging.verbosity == 7 && both.logging.format == "json" && both.logging.flushFrequency.duration == .seconds(1))
        #expect(both.logging.vmodule.map(\.filePattern) == ["goo.go", "foo.go", "bar.go"])
        #expect(both.ipvs.scheduler.isEmpty && both.oomScoreAdj == -999 && !both.enableProfiling)
        #expect(try effective { $0.logging.vmodule = "a=1,,b*=2" }.logging.vmodule.map(\.verbosity) == [1, 2])
    }

    @Test(
        arguments: [
            ("1.2.3.4", 12345, "1.2.3.4:12345"), ("1.2.3.4:12345", 23456, "1.2.3.4:12345"), ("fd00:1::5", 12345, "[fd00:1::5]:12345"),
            ("[fd00:1::5]:12345", 56789, "[fd00:1::5]:12345"), ("1.2.3.4", 0, ""), ("1.2.3.4:23456", 0, ""),
        ] as [(String, Int32, String)])
    func `M6: deprecated ports apply if the address has none, and 0 disables the server`(address: String, port: Int32, expected: String) {
        #expect(FlagValues.address(address, port: port) == expected)
    }

    @Test func `M7: empty fields get the platform's default, set fields are kept`() throws {
        let empty = try effective("mode: \"\"")
        #expect(empty.mode == "iptables" && empty.detectLocalMode == "ClusterCIDR")
        let set = try effective("mode: ipvs\ndetectLocalMode: BridgeInterface")
        #expect(set.mode == "ipvs" && set.detectLocalMode == "BridgeInterface")
    }

    @Test func `fields of other modes are not shown`() throws {
        let result = try effective(
            "mode: ipvs\niptables: {syncPeriod: 5s, masqueradeAll: true}\nnftables: {syncPeriod: 5s, masqueradeAll: true, masqueradeBit: 3}"
        )
        #expect(result.iptables.syncPeriod == .zero && result.iptables.masqueradeAll)
        #expect(result.nftables.syncPeriod == .zero && !result.nftables.masqueradeAll && result.nftables.masqueradeBit == 3)
    }
}

@Suite struct `The packet filter` {
    private func choice(_ text: String?, _ change: (inout FlagValues) -> Void = { _ in }) throws -> ProxyConfiguration.PacketFilterChoice {
        var flags = FlagValues()
        change(&flags)
        return try ProxyConfiguration(effective(text, change), flags, hostname: "node1").packetFilter
    }

    @Test func `is auto by default`() throws {
        #expect(try choice(nil) == .auto && choice("mode: ipvs") == .auto)
        #expect(try choice("mode: ipvs\nkube-ipvs-proxy.io/packet-filter: \"\"") == .auto)
    }

    @Test(arguments: ProxyConfiguration.PacketFilterChoice.allCases)
    func `is that of the flag, or else that of the file`(filter: ProxyConfiguration.PacketFilterChoice) throws {
        let file = "mode: ipvs\nkube-ipvs-proxy.io/packet-filter: \(filter.rawValue)"
        #expect(try choice(nil) { $0.packetFilter = filter.rawValue } == filter)
        #expect(try choice(file) == filter && choice(file) { $0.packetFilter = "" } == filter)
        for flag in ProxyConfiguration.PacketFilterChoice.allCases {
            #expect(try choice(file) { $0.packetFilter = flag.rawValue } == flag)
        }
    }

    @Test func `is a known field, and is shown in the effective configuration only if it is set`() throws {
        let header = "apiVersion: kubeproxy.config.k8s.io/v1alpha1\nkind: KubeProxyConfiguration\n"
        #expect(try KubeProxyConfiguration.read(header + "kube-ipvs-proxy.io/packet-filter: nftables").strictError == nil)
        #expect(try !effective("mode: ipvs").json.contains("packet-filter"))
        let set = try effective("mode: ipvs") { $0.packetFilter = "nftables" }
        #expect(set.json.contains("\"kube-ipvs-proxy.io/packet-filter\":\"nftables\""))
        #expect(try KubeProxyConfiguration.read(set.yaml).configuration == set)
    }

    @Test(arguments: ["NFTables", "nft", " nftables", "auto\n-A INPUT -j DROP", "\u{0}", "ipvs"])
    func `is refused if it is anything else, with the field, the value and the choices`(text: String) throws {
        var configuration = try effective("mode: ipvs")
        configuration.packetFilter = text
        let error = #expect(throws: ConfigurationError.self) { try ProxyConfiguration(configuration, FlagValues(), hostname: "node1") }
        #expect(error?.flags == ["--packet-filter"])
        let message = try #require(error?.description)
        #expect(message.hasPrefix("failed validate: KubeProxyConfiguration.kube-ipvs-proxy.io/packet-filter: Invalid value: \""))
        #expect(message.hasSuffix("\": must be one of auto, iptables, nftables, in the file or in --packet-filter"))
        #expect(!message.contains("\n"), "it is one line of the log")
    }

    @Test(arguments: ["true", "1", "[nftables]", "{nftables: true}"])
    func `is refused in a file if it is not text`(value: String) {
        let error = #expect(throws: KubeProxyConfiguration.DecodingError.self) {
            try effective("mode: ipvs\nkube-ipvs-proxy.io/packet-filter: \(value)")
        }
        #expect(error?.message.contains("kube-ipvs-proxy.io/packet-filter: must be text") == true)
    }

    @Test func `nftables excludes a backend of iptables, in the file as well`() throws {
        let file = "mode: ipvs\nkube-ipvs-proxy.io/packet-filter: nftables"
        for backend in ["legacy", "nft"] {
            let error = #expect(throws: ConfigurationError.self) { try choice(file) { $0.iptablesBackend = backend } }
            #expect(error?.description.hasPrefix("--iptables-backend: invalid value \"\(backend)\": cannot be combined with") == true)
            #expect(
                try choice(file) {
                    $0.iptablesBackend = backend
                    $0.packetFilter = "auto"
                } == .auto)
        }
        #expect(try choice(file) { $0.iptablesBackend = "auto" } == .nftables)
    }

    @Test func `is independent of the proxy mode and of the section nftables`() throws {
        #expect(try choice("mode: ipvs\nnftables: {masqueradeBit: 3, syncPeriod: 5s}") == .auto)
        let error = #expect(throws: ConfigurationError.self) {
            try choice("mode: nftables\nkube-ipvs-proxy.io/packet-filter: nftables")
        }
        #expect(error?.flags == ["--proxy-mode"])
    }
}

@Suite struct `A port` {
    @Test(
        arguments: [
            ("9.8.7.6", 12345, "9.8.7.6:12345"), ("fd00:1::5", 23456, "[fd00:1::5]:23456"), ("9.8.7.6:1", 2, "9.8.7.6:1"),
            ("[fd00:1::5]:1", 2, "[fd00:1::5]:1"), ("[fd00:1::5]", 2, "[fd00:1::5]"), ("invalid", 3, "invalid"), ("", 3, ""),
        ] as [(String, Int32, String)])
    func `L2: is appended to an address without one`(text: String, port: Int32, expected: String) {
        #expect(HostPort.appending(port, to: text) == expected)
    }

    @Test(arguments: ["1.2.3.4", "[::1]", "::1", "[::1:80", "::1]:80", "a[b:1", "[::1]x:80", "1:2:3"])
    func `is not found in text without a valid one`(text: String) { #expect(HostPort(text) == nil) }
}

@Suite struct `The kind of service addresses` {
    private func choice(_ text: String?, flag: String? = nil) throws -> ServiceAddresses {
        var flags = FlagValues()
        flags.serviceAddresses = flag
        return try ProxyConfiguration(effective(text) { $0 = flags }, flags, hostname: "node1")
            .translationSettings(families: [.ipv4], hasRandomFully: true).serviceAddresses
    }

    @Test func `is that of the flag, or else that of the file, or else auto`() throws {
        let file = "mode: ipvs\nkube-ipvs-proxy.io/service-addresses: route"
        #expect(try choice(nil) == .auto() && choice("mode: ipvs") == .auto())
        #expect(try choice(file) == .route && choice(file, flag: "") == .route)
        #expect(try choice(file, flag: "address") == .address && choice(nil, flag: "route") == .route)
        #expect(try choice(file, flag: "auto") == .auto())
    }

    @Test func `is a known field, and is shown in the effective configuration only if it is set`() throws {
        let header = "apiVersion: kubeproxy.config.k8s.io/v1alpha1\nkind: KubeProxyConfiguration\n"
        #expect(try KubeProxyConfiguration.read(header + "kube-ipvs-proxy.io/service-addresses: route").strictError == nil)
        #expect(try !effective("mode: ipvs").json.contains("service-addresses"))
        let set = try effective("mode: ipvs") { $0.serviceAddresses = "route" }
        #expect(set.json.contains("\"kube-ipvs-proxy.io/service-addresses\":\"route\""))
        #expect(try KubeProxyConfiguration.read(set.yaml).configuration == set)
    }
}
