import Testing

@testable import KubeProxyConfiguration

private let header = "apiVersion: kubeproxy.config.k8s.io/v1alpha1\nkind: KubeProxyConfiguration\n"

private func sample(bindAddress: String, mode: String, healthz: String = "[fd00:1::5]:12345") -> String {
    """
    \(header)bindAddress: \(bindAddress)
    clientConnection: {acceptContentTypes: abc, burst: 100, contentType: content-type, kubeconfig: /path/to/kubeconfig, qps: 7}
    clusterCIDR: "fd00:1::0/64"
    configSyncPeriod: 15s
    conntrack: {maxPerCore: 2, min: 1, tcpCloseWaitTimeout: 10s, tcpEstablishedTimeout: 20s}
    healthzBindAddress: "\(healthz)"
    hostnameOverride: foo
    iptables: {masqueradeAll: true, masqueradeBit: 17, minSyncPeriod: 10s, syncPeriod: 60s, localhostNodePorts: true}
    ipvs:
      minSyncPeriod: 10s
      syncPeriod: 60s
      excludeCIDRs:
        - 10.20.30.40/16
        - "fd00:1::0/64"
    nftables: {masqueradeAll: true, masqueradeBit: 18, minSyncPeriod: 10s, syncPeriod: 60s}
    metricsBindAddress: "[fd00:2::5]:23456"
    mode: "\(mode)"
    oomScoreAdj: 17
    portRange: "2-7"
    detectLocalMode: ClusterCIDR
    detectLocal: {bridgeInterface: cbr0, interfaceNamePrefix: veth}
    nodePortAddresses: ["10.20.30.40/16", "fd00:1::0/64"]
    featureGates: {AllowServiceExternalIPs: false}

    """
}

@Suite struct `A file` {
    @Test(arguments: [("0.0.0.0", "0.0.0.0"), ("\"::\"", "::"), ("\"[::]\"", "[::]"), ("::0", "::0"), ("2001:db8::1", "2001:db8::1")])
    func `M1: is read field by field, with every notation of an address`(written: String, read: String) throws {
        for mode in ["ipvs", "iptables"] {
            let document = try KubeProxyConfiguration.read(sample(bindAddress: written, mode: mode))
            #expect(document.strictError == nil)
            let configuration = document.configuration
            #expect(configuration.bindAddress == read && configuration.mode == mode && configuration.clusterCIDR == "fd00:1::0/64")
            #expect(
                configuration.clientConnection.acceptContentTypes == "abc" && configuration.clientConnection.contentType == "content-type")
            #expect(configuration.clientConnection.burst == 100 && configuration.clientConnection.qps == 7)
            #expect(configuration.clientConnection.kubeconfig == "/path/to/kubeconfig" && configuration.configSyncPeriod == .seconds(15))
            #expect(configuration.conntrack.maxPerCore == 2 && configuration.conntrack.min == 1)
            #expect(
                configuration.conntrack.tcpCloseWaitTimeout == .seconds(10) && configuration.conntrack.tcpEstablishedTimeout == .seconds(20)
            )
            #expect(configuration.healthzBindAddress == "[fd00:1::5]:12345" && configuration.metricsBindAddress == "[fd00:2::5]:23456")
            #expect(configuration.hostnameOverride == "foo" && configuration.oomScoreAdj == 17 && configuration.portRange == "2-7")
            #expect(configuration.iptables.masqueradeAll && configuration.iptables.masqueradeBit == 17)
            #expect(configuration.iptables.localhostNodePorts == true && configuration.iptables.syncPeriod == .seconds(60))
            #expect(configuration.ipvs.minSyncPeriod == .seconds(10) && configuration.ipvs.syncPeriod == .seconds(60))
            #expect(configuration.ipvs.excludeCIDRs == ["10.20.30.40/16", "fd00:1::0/64"])
            #expect(configuration.nftables.masqueradeBit == 18 && configuration.nftables.minSyncPeriod == .seconds(10))
            #expect(configuration.detectLocal.bridgeInterface == "cbr0" && configuration.detectLocal.interfaceNamePrefix == "veth")
            #expect(configuration.nodePortAddresses == ["10.20.30.40/16", "fd00:1::0/64"])
            #expect(configuration.featureGates == ["AllowServiceExternalIPs": false])
        }
    }

    @Test func `M1: may have unknown fields, and duplicate fields, of which the last one applies`() throws {
        let document = try KubeProxyConfiguration.read(
            sample(bindAddress: "9.8.7.6", mode: "ipvs")
                + "foo: bar\nbindAddress: 1.2.3.4\nlogging: {vmodule: [{filePattern: a, odd: 1}]}\n")
        #expect(document.configuration.bindAddress == "1.2.3.4")
        let reported = try #require(document.strictError)
        #expect(reported.contains("key \"bindAddress\" already set in map"))
        #expect(reported.contains("unknown field \"foo\"") && reported.contains("unknown field \"logging.vmodule[0].odd\""))
        let thrice = try KubeProxyConfiguration.read(header + "mode: a\n'mode': b\n\"mode\": ipvs\n")
        #expect(thrice.configuration.mode == "ipvs")
        #expect(
            try KubeProxyConfiguration.read("{\"kind\":\"KubeProxyConfiguration\",\"apiVersion\":\"kubeproxy.config.k8s.io/v1alpha1\"}")
                .strictError == nil)
    }

    @Test(arguments: [
        ("Twas bryllyg, and ye slythy toves", "failed to decode: Object 'Kind' is missing"),
        ("apiVersion: kubeproxy.config.k8s.io/v1alpha1\nTwas bryllyg, and ye slythy toves", "could not find expected ':'"),
        ("apiVersion: kubeproxy.config.k8s.io/v1alpha1\nkind: KubeSchedulerConfiguration", "no kind \"KubeSchedulerConfiguration\""),
        ("kind: KubeProxyConfiguration", "Object 'apiVersion' is missing"), ("mode: ipvs", "Object 'Kind' is missing"),
        (header + "bindAddress: ::", "mapping values are not allowed in this context"), ("", "Object 'Kind' is missing"), ("- a", "a list"),
        (header + "bindAddress: 10", "bindAddress: must be text: put it in quotes, not 10"),
        (
            header + "iptables: {masqueradeBit: x}",
            "iptables.masqueradeBit: must be a whole number from -2147483648 to 2147483647, not \"x\""
        ),
        (header + "iptables: [1]", "iptables: must be a mapping, not a list"),
        (header + "oomScoreAdj: 99999999999", "oomScoreAdj: must be a whole number"),
        (header + "configSyncPeriod: 15", "configSyncPeriod: must be a duration with its unit"),
        (header + "nodePortAddresses: primary", "nodePortAddresses: must be a list, not \"primary\""),
        (header + "ipvs: {excludeCIDRs: [[]]}", "ipvs.excludeCIDRs[0]: must be text"),
        (header + "ipvs: {strictARP: \"true\"}", "ipvs.strictARP: must be true or false, not \"true\""),
        (header + "featureGates: {A: 1}", "featureGates.A: must be true or false, not 1"),
        (header + "---\n" + header, "but found another document"),
        (header + "a: &a\n  c: 1\nb:\n  <<: *a\n", "line 6: has a merge key"),
    ])
    func `M2: that is invalid is refused with the reason`(text: String, message: String) {
        let error = #expect(throws: KubeProxyConfiguration.DecodingError.self) { try KubeProxyConfiguration.read(text) }
        #expect(error?.description.contains(message) == true, "\(error.map { "\($0)" } ?? "")")
    }

    @Test func `may have every YAML number format, and null for defaults`() throws {
        let text =
            header
            + "oomScoreAdj: -0x10\nconntrack: {maxPerCore: 1_000, min: 010, udpTimeout: null}\nlogging: {flushFrequency: 2000000000}\n"
        let configuration = try KubeProxyConfiguration.read(text + "clientConnection: {qps: 1e-1}\nipvs: ~\n").configuration
        #expect(configuration.oomScoreAdj == -16 && configuration.conntrack.maxPerCore == 1000 && configuration.conntrack.min == 8)
        #expect(configuration.logging.flushFrequency.duration == .seconds(2) && configuration.clientConnection.qps == 0.1)
        #expect(configuration.ipvs == KubeProxyIPVSConfiguration())
    }
}
