extension KubeProxyConfiguration {
    /// `clusterCIDR`, split at commas.
    var clusterCIDRs: [String] {
        clusterCIDR.isEmpty ? [] : clusterCIDR.split(separator: ",", omittingEmptySubsequences: false).map(String.init)
    }

    /// The maximum time between syncs, from the section of `mode`.
    var syncPeriod: GoDuration {
        switch mode {
        case KubeProxyConfiguration.ipvsMode: ipvs.syncPeriod
        case "nftables": nftables.syncPeriod
        default: iptables.syncPeriod
        }
    }

    /// The minimum time between syncs, from the section of `mode`.
    var minSyncPeriod: GoDuration {
        switch mode {
        case KubeProxyConfiguration.ipvsMode: ipvs.minSyncPeriod
        case "nftables": nftables.minSyncPeriod
        default: iptables.minSyncPeriod
        }
    }

    var hasLoggingAlphaOptions: Bool { featureGates["LoggingAlphaOptions"] ?? featureGates["AllAlpha"] ?? false }

    /// Clears the values of other modes: the sync periods, and `masqueradeAll` of `nftables`.
    mutating func clearOtherModes() {
        if mode != "nftables" {
            (nftables.syncPeriod, nftables.minSyncPeriod, nftables.masqueradeAll) = (.zero, .zero, false)
        }
        if mode == KubeProxyConfiguration.ipvsMode || mode == "nftables" {
            (iptables.syncPeriod, iptables.minSyncPeriod) = (.zero, .zero)
        }
        if mode != KubeProxyConfiguration.ipvsMode { (ipvs.syncPeriod, ipvs.minSyncPeriod) = (.zero, .zero) }
    }

    /// Sets the defaults for Linux.
    mutating func setPlatformDefaults() {
        if mode.isEmpty { mode = "iptables" }
        if detectLocalMode.isEmpty { detectLocalMode = DetectLocalMode.clusterCIDR.rawValue }
    }

    /// Returns the effective configuration of a file and flags, not yet validated (kube-proxy's `Complete`).
    ///
    /// With a file, only `--hostname-override`, `--packet-filter`, `--service-addresses` and the logging flags apply; without one, all flags.
    /// - Parameter isForWriting: Whether it is for `--write-config-to`, which ignores the deprecated `--healthz-port` and `--metrics-port`.
    public static func effective(
        file: KubeProxyConfiguration?, flags: FlagValues, isForWriting: Bool = false
    ) throws(ConfigurationError) -> KubeProxyConfiguration {
        var check = FlagReader()
        var result: KubeProxyConfiguration
        if let file {
            result = file.defaulted()
            flags.logging.override(&result.logging, &check)
            result.clearOtherModes()
        } else {
            result = flags.configuration(resolvesPorts: !isForWriting, &check)
        }
        result.setPlatformDefaults()
        if let override = flags.hostnameOverride, !override.isEmpty { result.hostnameOverride = check.hostname(override) }
        if let filter = flags.packetFilter, !filter.isEmpty { result.packetFilter = filter }
        if let addresses = flags.serviceAddresses, !addresses.isEmpty { result.serviceAddresses = addresses }
        guard check.problems.isEmpty else { throw ConfigurationError(problems: check.problems) }
        return result
    }
}
