internal import KubeProxyConfiguration

/// The values of all flags by name, given or default, in the format of Go's flags, for `/flagz`.
typealias FlagListing = [String: String]

extension RunCommand {
    var listing: FlagListing {
        let own = [
            "once": "\(once)", "write-config-to": writeConfigTo, "init-only": "\(initOnly)", "cleanup": "\(cleanup)",
            // If set, the program has exited before.
            "help": "false", "version": "false",
        ]
        return options.listing.merging(own) { $1 }
    }
}

extension ProxyOptions {
    var listing: FlagListing {
        [source, selection, rules, program, servers.listing, kernel.listing, otherModes.listing, logging.listing]
            .reduce(into: [:]) { $0.merge($1) { $1 } }
    }

    private var source: FlagListing {
        [
            "config": config, "config-sync-period": given(configSyncPeriod, "15m0s"), "proxy-mode": given(proxyMode, ""),
            "manifests": given(manifests, ""), "kubeconfig": given(kubeconfig, ""), "master": master,
            "kube-api-content-type": given(kubeAPIContentType, ClientConnection.protobuf),
            "kube-api-qps": given(kubeAPIQPS.map { $0 == $0.rounded() ? "\(Int($0))" : "\($0)" }, "5"),
            "kube-api-burst": given(kubeAPIBurst, "10"), "hostname-override": given(hostnameOverride, ""),
            "service-cluster-ip-range": serviceClusterIPRange,
        ]
    }

    private var selection: FlagListing {
        [
            "cluster-cidr": given(clusterCIDR, ""), "detect-local-mode": given(detectLocalMode, "ClusterCIDR"),
            "pod-bridge-interface": given(podBridgeInterface, ""), "pod-interface-name-prefix": given(podInterfaceNamePrefix, ""),
            "nodeport-addresses": slice(nodePortAddresses), "external-ip-cidrs": slice(externalIPCIDRs),
            "feature-gates": (ProxyOptions.list(featureGates) ?? []).sorted().joined(separator: ","),
            "localhost-nodeports": "\(localhostNodePorts)", "other-node-addresses": otherNodeAddresses,
        ]
    }

    private var rules: FlagListing {
        [
            "ipvs-scheduler": given(ipvsScheduler, ""), "ipvs-sync-period": given(ipvsSyncPeriod, "30s"),
            "ipvs-min-sync-period": given(ipvsMinSyncPeriod, "1s"), "ipvs-exclude-cidrs": slice(ipvsExcludeCIDRs),
            "masquerade-all": given(masqueradeAll, "false"), "iptables-masquerade-bit": given(iptablesMasqueradeBit, "14"),
        ]
    }

    private var program: FlagListing {
        [
            "drain-timeout": drainTimeout, "packet-filter": given(packetFilter, "auto"), "iptables-backend": iptablesBackend,
            "service-addresses": given(serviceAddresses, "auto"), "state-directory": stateDirectory,
        ]
    }
}

extension ServerOptions {
    fileprivate var listing: FlagListing {
        [
            "bind-address": given(bindAddress, "0.0.0.0"), "healthz-bind-address": given(healthzBindAddress, "0.0.0.0:10256"),
            "metrics-bind-address": given(metricsBindAddress, "127.0.0.1:10249"), "healthz-port": given(healthzPort, "10256"),
            "metrics-port": given(metricsPort, "10249"), "bind-address-hard-fail": given(bindAddressHardFail, "false"),
            "profiling": given(profiling, "false"), "show-hidden-metrics-for-version": given(showHiddenMetricsForVersion, ""),
            "metrics-per-service": metricsPerService, "metrics-per-service-limit": "\(metricsPerServiceLimit)",
        ]
    }
}

extension KernelOptions {
    fileprivate var listing: FlagListing {
        [
            "ipvs-strict-arp": given(ipvsStrictARP, "false"), "ipvs-tcp-timeout": given(ipvsTCPTimeout, "0s"),
            "ipvs-tcpfin-timeout": given(ipvsTCPFinTimeout, "0s"), "ipvs-udp-timeout": given(ipvsUDPTimeout, "0s"),
            "conntrack-max-per-core": given(conntrackMaxPerCore, "32768"), "conntrack-min": given(conntrackMin, "131072"),
            "conntrack-tcp-timeout-established": given(conntrackTCPTimeoutEstablished, "24h0m0s"),
            "conntrack-tcp-timeout-close-wait": given(conntrackTCPTimeoutCloseWait, "1h0m0s"),
            "conntrack-tcp-be-liberal": given(conntrackTCPBeLiberal, "false"), "conntrack-udp-timeout": given(conntrackUDPTimeout, "0s"),
            "conntrack-udp-timeout-stream": given(conntrackUDPTimeoutStream, "0s"), "oom-score-adj": given(oomScoreAdj, "-999"),
        ]
    }
}

extension OtherModesOptions {
    fileprivate var listing: FlagListing {
        [
            "iptables-localhost-nodeports": given(iptablesLocalhostNodeports, "true"),
            "iptables-sync-period": given(iptablesSyncPeriod, "30s"), "iptables-min-sync-period": given(iptablesMinSyncPeriod, "1s"),
            "boot-id-file": given(bootIDFile, "/proc/sys/kernel/random/boot_id"),
            "machine-id-file": given(machineIDFile, "/etc/machine-id,/var/lib/dbus/machine-id"),
        ]
    }
}

extension LoggingOptions {
    fileprivate var listing: FlagListing {
        [
            "v": given(v, "0"), "vmodule": given(vmodule, ""), "logging-format": given(loggingFormat, "text"),
            "log-flush-frequency": given(logFlushFrequency, "5s"), "log-text-split-stream": given(logTextSplitStream, "false"),
            "log-text-info-buffer-size": given(logTextInfoBufferSize, "0"), "log-json-split-stream": given(logJSONSplitStream, "false"),
            "log-json-info-buffer-size": given(logJSONInfoBufferSize, "0"),
        ]
    }
}

/// The given value, or the default.
private func given(_ value: (some CustomStringConvertible)?, _ fallback: String) -> String { value.map { "\($0)" } ?? fallback }

/// `[10.0.0.0/8,fd00::/8]`
private func slice(_ uses: [String]) -> String { "[\((ProxyOptions.list(uses) ?? []).joined(separator: ","))]" }
