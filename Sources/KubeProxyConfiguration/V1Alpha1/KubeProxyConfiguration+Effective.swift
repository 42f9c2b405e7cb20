extension KubeProxyConfiguration {
    /// `clusterCIDR`, parted at its commas.
    var clusterCIDRs: [String] {
        clusterCIDR.isEmpty ? [] : clusterCIDR.split(separator: ",", omittingEmptySubsequences: false).map(String.init)
    }

    /// The longest time between two syncs, of the section that `mode` names.
    var syncPeriod: GoDuration {
        switch mode {
        case KubeProxyConfiguration.ipvsMode: ipvs.syncPeriod
        case "nftables": nftables.syncPeriod
        default: iptables.syncPeriod
        }
    }

    /// The shortest time between two syncs, of the section that `mode` names.
    var minSyncPeriod: GoDuration {
        switch mode {
        case KubeProxyConfiguration.ipvsMode: ipvs.minSyncPeriod
        case "nftables": nftables.minSyncPeriod
        default: iptables.minSyncPeriod
        }
    }

    var hasLoggingAlphaOptions: Bool { featureGates["LoggingAlphaOptions"] ?? featureGates["AllAlpha"] ?? false }

    /// Without what is of another mode: there is one sync period and one `masqueradeAll`, kept where `mode` says.
    mutating func clearOtherModes() {
        if mode != "nftables" {
            (nftables.syncPeriod, nftables.minSyncPeriod, nftables.masqueradeAll) = (.zero, .zero, false)
        }
        if mode == KubeProxyConfiguration.ipvsMode || mode == "nftables" {
            (iptables.syncPeriod, iptables.minSyncPeriod) = (.zero, .zero)
        }
        if mode != KubeProxyConfiguration.ipvsMode { (ipvs.syncPeriod, ipvs.minSyncPeriod) = (.zero, .zero) }
    }

    /// What empty means on Linux.
    mutating func setPlatformDefaults() {
        if mode.isEmpty { mode = "iptables" }
        if detectLocalMode.isEmpty { detectLocalMode = DetectLocalMode.clusterCIDR.rawValue }
    }

    /// What a file and flags come to, not yet validated (kube-proxy's `Complete`).
    ///
    /// With a file, few flags count: `--hostname-override` and those of logging. Without one, all do.
    /// - Parameter isForWriting: for `--write-config-to`, with which the deprecated `--healthz-port` and `--metrics-port` mean nothing.
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
        guard check.problems.isEmpty else { throw ConfigurationError(problems: check.problems) }
        return result
    }
}
