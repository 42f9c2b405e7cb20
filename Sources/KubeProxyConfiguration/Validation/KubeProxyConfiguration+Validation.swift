internal import Model

extension KubeProxyConfiguration {
    /// Returns all errors, in kube-proxy's order and words, and then those that kube-proxy finds only later or never.
    public func validate() -> [FieldError] {
        var check = FieldCheck()
        check.range(
            "KubeProxyIPTablesConfiguration.MasqueradeBit", iptables.masqueradeBit, 0...31, flag: "--iptables-masquerade-bit")
        if mode == KubeProxyConfiguration.ipvsMode { validateIPVS(&check) }
        validateLinux(&check)
        validateMode(&check)
        check.notNegative("ClientConnection.Burst", clientConnection.burst, flag: "--kube-api-burst")
        validatePeriods(&check)
        validateAddresses(&check)
        validateNodePortAddresses(&check)
        validateHiddenMetrics(&check)
        validateDetectLocal(&check)
        logging.validate(&check, hasAlphaOptions: hasLoggingAlphaOptions)
        validateForThisProgram(&check)
        return check.errors
    }

    static let ipvsMode = "ipvs"

    private func validateIPVS(_ check: inout FieldCheck) {
        let section = "KubeProxyIPVSConfiguration."
        check.notNegative(section + "TCPTimeout", ipvs.tcpTimeout, flag: "--ipvs-tcp-timeout")
        check.notNegative(section + "TCPFinTimeout", ipvs.tcpFinTimeout, flag: "--ipvs-tcpfin-timeout")
        check.notNegative(section + "UDPTimeout", ipvs.udpTimeout, flag: "--ipvs-udp-timeout")
        for (index, text) in (ipvs.excludeCIDRs ?? []).enumerated() where CIDR(text) == nil {
            check.refuse("\(section)ExcludeCidrs[\(index)]", text, "must be a valid CIDR", flag: "--ipvs-exclude-cidrs")
        }
    }

    private func validateLinux(_ check: inout FieldCheck) {
        let section = "KubeProxyLinuxConfiguration."
        let tracking = section + "KubeProxyConntrackConfiguration."
        check.notNegative(tracking + "MaxPerCore", conntrack.maxPerCore, flag: "--conntrack-max-per-core")
        check.notNegative(tracking + "Min", conntrack.min, flag: "--conntrack-min")
        check.notNegative(
            tracking + "TCPEstablishedTimeout", conntrack.tcpEstablishedTimeout, flag: "--conntrack-tcp-timeout-established")
        check.notNegative(tracking + "TCPCloseWaitTimeout", conntrack.tcpCloseWaitTimeout, flag: "--conntrack-tcp-timeout-close-wait")
        check.notNegative(tracking + "UDPTimeout", conntrack.udpTimeout, flag: "--conntrack-udp-timeout")
        check.notNegative(tracking + "UDPStreamTimeout", conntrack.udpStreamTimeout, flag: "--conntrack-udp-timeout-stream")
        check.range(section + "OOMScoreAdj", oomScoreAdj, -1000...1000, flag: "--oom-score-adj")
    }

    private func validateMode(_ check: inout FieldCheck) {
        guard mode != KubeProxyConfiguration.ipvsMode else { return }
        check.refuse(
            "Mode.ProxyMode", mode,
            "must be ipvs, the only mode of this program (an empty mode means iptables to kube-proxy): set mode: ipvs in the file, or --proxy-mode=ipvs",
            flag: "--proxy-mode")
    }

    private func validatePeriods(_ check: inout FieldCheck) {
        check.positive("ConfigSyncPeriod", configSyncPeriod, flag: "--config-sync-period")
        check.positive("SyncPeriod", syncPeriod, flag: "--ipvs-sync-period")
        check.notNegative("MinSyncPeriod", minSyncPeriod, flag: "--ipvs-min-sync-period")
        if minSyncPeriod > syncPeriod {
            check.refuse(
                "SyncPeriod", minSyncPeriod, "must be greater than or equal to KubeProxyConfiguration.MinSyncPeriod",
                flag: "--ipvs-min-sync-period")
        }
    }

    private func validateAddresses(_ check: inout FieldCheck) {
        if IPAddress(bindAddress) == nil {
            check.refuse("BindAddress", bindAddress, "not a valid textual representation of an IP address", flag: "--bind-address")
        }
        // An empty address disables the server.
        if !healthzBindAddress.isEmpty {
            check.hostPort("HealthzBindAddress", healthzBindAddress, flag: "--healthz-bind-address")
        }
        if !metricsBindAddress.isEmpty {
            check.hostPort("MetricsBindAddress", metricsBindAddress, flag: "--metrics-bind-address")
        }
    }

    private func validateNodePortAddresses(_ check: inout FieldCheck) {
        let addresses = nodePortAddresses ?? []
        for (index, text) in addresses.enumerated() {
            if text == KubeProxyConfiguration.primaryAddresses {
                if addresses.count > 1 {
                    check.refuse("NodePortAddresses[\(index)]", text, "can't use both 'primary' and CIDRs", flag: "--nodeport-addresses")
                }
                return
            }
            if CIDR(text) == nil {
                check.refuse("NodePortAddresses[\(index)]", text, "must be a valid CIDR", flag: "--nodeport-addresses")
            }
        }
    }

    static let primaryAddresses = "primary"

    private func validateHiddenMetrics(_ check: inout FieldCheck) {
        guard !showHiddenMetricsForVersion.isEmpty, showHiddenMetricsForVersion != KubeProxyConfiguration.previousVersion else { return }
        check.refuse(
            "ShowHiddenMetricsForVersion", showHiddenMetricsForVersion,
            "--show-hidden-metrics-for-version must be omitted or have the value '\(KubeProxyConfiguration.previousVersion)'. Only the previous minor version is allowed",
            flag: "--show-hidden-metrics-for-version")
    }

    /// The minor version before that of the metrics, 1.36.
    static let previousVersion = "1.35"

    private func validateDetectLocal(_ check: inout FieldCheck) {
        let section = "DetectLocalConfiguration."
        switch DetectLocalMode(rawValue: detectLocalMode) {
        case .clusterCIDR: validateClusterCIDRs(section + "ClusterCIDRs", &check)
        case .bridgeInterface: check.notEmpty(section + "InterfaceName", detectLocal.bridgeInterface, flag: "--pod-bridge-interface")
        case .interfaceNamePrefix:
            check.notEmpty(section + "InterfacePrefix", detectLocal.interfaceNamePrefix, flag: "--pod-interface-name-prefix")
        case .nodeCIDR: break
        case nil:
            guard !detectLocalMode.isEmpty else { return }
            let modes = (DetectLocalMode.allCases.map(\.rawValue) + [""]).map { "\"\($0)\"" }.joined(separator: ", ")
            check.refuse(
                "DetectLocalMode", kind: .unsupported, value: detectLocalMode, "supported values: \(modes)", flag: "--detect-local-mode")
        }
    }

    private func validateClusterCIDRs(_ field: String, _ check: inout FieldCheck) {
        let pair = "must be a either a single CIDR or dual-stack pair of CIDRs (e.g. [10.100.0.0/16, fde4:8dba:82e1::/48]"
        let texts = clusterCIDRs
        guard texts.count <= 2 else { return check.refuse(field, texts, pair, flag: "--cluster-cidr") }
        for (index, text) in texts.enumerated() where CIDR(text) == nil {
            check.refuse(
                "\(field)[\(index)]", text, "must be a valid CIDR block (e.g. 10.100.0.0/16 or fde4:8dba:82e1::/48)", flag: "--cluster-cidr"
            )
        }
        let ranges = texts.compactMap(CIDR.init)
        if ranges.count == 2, ranges[0].family == ranges[1].family { check.refuse(field, texts, pair, flag: "--cluster-cidr") }
    }

    /// Validates what kube-proxy leaves to the kernel, iptables or the API server, whose errors are less clear.
    private func validateForThisProgram(_ check: inout FieldCheck) {
        for (name, value) in featureGates.sorted(by: { $0.key < $1.key }) {
            guard let problem = FeatureGates.problem(name, value) else { continue }
            check.refuse("FeatureGates[\(name)]", value, problem, flag: "--feature-gates")
        }
        func validate<Choice: RawRepresentable<String> & CaseIterable>(_ value: String, as _: Choice.Type, _ field: String, _ flag: String)
        {
            guard !value.isEmpty, Choice(rawValue: value) == nil else { return }
            let choices = Choice.allCases.map(\.rawValue).joined(separator: ", ")
            check.refuse(field, value, "must be one of \(choices), in the file or in \(flag)", flag: flag)
        }
        validate(packetFilter, as: ProxyConfiguration.PacketFilterChoice.self, KubeProxyConfiguration.packetFilterField, "--packet-filter")
        validate(
            serviceAddresses, as: ProxyConfiguration.ServiceAddressChoice.self, KubeProxyConfiguration.serviceAddressesField,
            "--service-addresses")
        if !ipvs.scheduler.isEmpty, Scheduler(ipvs.scheduler) == nil {
            check.refuse(
                "KubeProxyIPVSConfiguration.Scheduler", ipvs.scheduler,
                "must be the name of an IPVS scheduler, such as rr, wrr, lc, wlc, sh, dh, sed, nq or mh", flag: "--ipvs-scheduler")
        }
        if !ClientConnection.contentTypes.contains(clientConnection.contentType) {
            check.refuse(
                "ClientConnection.ContentType", clientConnection.contentType,
                "must be one of \(ClientConnection.contentTypes.joined(separator: ", "))", flag: "--kube-api-content-type")
        }
        switch DetectLocalMode(rawValue: detectLocalMode) {
        case .bridgeInterface: check.interface("InterfaceName", detectLocal.bridgeInterface, flag: "--pod-bridge-interface")
        case .interfaceNamePrefix:
            check.interface("InterfacePrefix", detectLocal.interfaceNamePrefix, flag: "--pod-interface-name-prefix")
        case .clusterCIDR, .nodeCIDR, nil: break
        }
    }
}

extension FieldCheck {
    /// Validates an interface name, which becomes a word in a line for iptables-restore and must not end it.
    fileprivate mutating func interface(_ field: String, _ name: String, flag: String) {
        let isClean = name.utf8.allSatisfy {
            (0x21...0x7e).contains($0) && $0 != UInt8(ascii: "/") && $0 != UInt8(ascii: "\"") && $0 != UInt8(ascii: "\\")
        }
        if !isClean { refuse("DetectLocalConfiguration.\(field)", name, "must be the name of an interface", flag: flag) }
    }
}
