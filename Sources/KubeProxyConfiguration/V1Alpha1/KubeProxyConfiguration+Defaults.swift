internal import Model

extension KubeProxyConfiguration {
    static let healthzPort: Int32 = 10256
    static let metricsPort: Int32 = 10249

    /// Returns the configuration with defaults (`SetDefaults_KubeProxyConfiguration`).
    ///
    /// For most fields, zero and empty mean unset; fields of `conntrack` and `oomScoreAdj` can be zero.
    func defaulted() -> KubeProxyConfiguration {
        var result = self
        result.setAddressDefaults()
        result.setSectionDefaults()
        if oomScoreAdj == nil { result.oomScoreAdj = -999 }
        if configSyncPeriod == .zero { result.configSyncPeriod = .seconds(15 * 60) }
        if clientConnection.contentType.isEmpty { result.clientConnection.contentType = ClientConnection.protobuf }
        if clientConnection.qps == 0 { result.clientConnection.qps = 5 }
        if clientConnection.burst == 0 { result.clientConnection.burst = 10 }
        if logging.format.isEmpty { result.logging.format = "text" }
        if logging.flushFrequency.duration == .zero { result.logging.flushFrequency = .init(.seconds(5)) }
        return result
    }

    /// Sets the default addresses of the servers, which depend on the family of `bindAddress` in a file, but not on `--bind-address`.
    private mutating func setAddressDefaults() {
        if bindAddress.isEmpty { bindAddress = "0.0.0.0" }
        let isIPv4 = IPAddress(bindAddress)?.family == .ipv4
        if healthzBindAddress.isEmpty { healthzBindAddress = isIPv4 ? "0.0.0.0" : "::" }
        if metricsBindAddress.isEmpty { metricsBindAddress = isIPv4 ? "127.0.0.1" : "::1" }
        healthzBindAddress = HostPort.appending(KubeProxyConfiguration.healthzPort, to: healthzBindAddress)
        metricsBindAddress = HostPort.appending(KubeProxyConfiguration.metricsPort, to: metricsBindAddress)
    }

    private mutating func setSectionDefaults() {
        iptables.masqueradeBit = iptables.masqueradeBit ?? 14
        iptables.localhostNodePorts = iptables.localhostNodePorts ?? true
        if iptables.syncPeriod == .zero { iptables.syncPeriod = .seconds(30) }
        if iptables.minSyncPeriod == .zero { iptables.minSyncPeriod = .seconds(1) }
        // Unlike in the other sections, a minimum of 0 is valid: every change is synced at once.
        if ipvs.syncPeriod == .zero { ipvs.syncPeriod = .seconds(30) }
        nftables.masqueradeBit = nftables.masqueradeBit ?? 14
        if nftables.syncPeriod == .zero { nftables.syncPeriod = .seconds(30) }
        if nftables.minSyncPeriod == .zero { nftables.minSyncPeriod = .seconds(1) }
        conntrack.maxPerCore = conntrack.maxPerCore ?? 32 << 10
        conntrack.min = conntrack.min ?? 128 << 10
        conntrack.tcpEstablishedTimeout = conntrack.tcpEstablishedTimeout ?? .seconds(24 * 3600)
        conntrack.tcpCloseWaitTimeout = conntrack.tcpCloseWaitTimeout ?? .seconds(3600)
    }
}
