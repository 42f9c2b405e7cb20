/// The values of flags as given; nil for those that were not.
public struct FlagValues: Hashable, Sendable {
    // Flags of this program.
    public var manifests: String?
    public var drainTimeout = "15m"
    public var iptablesBackend = "auto"
    public var packetFilter: String?
    public var serviceAddresses: String?
    public var serviceClusterIPRange = "10.96.0.0/12"
    public var stateDirectory = "/run/kube-ipvs-proxy"
    public var localhostNodePorts = false
    public var metricsPerService = "service"
    public var metricsPerServiceLimit = 100
    public var externalIPCIDRs: [String] = []
    public var otherNodeAddresses = "auto"

    // Flags of kube-proxy.
    public var proxyMode: String?
    public var kubeconfig: String?
    public var master = ""
    public var kubeAPIContentType: String?
    public var kubeAPIQPS: Float?
    public var kubeAPIBurst: Int32?
    public var hostnameOverride: String?
    public var bindAddress: String?
    public var healthzBindAddress: String?
    public var metricsBindAddress: String?
    public var healthzPort: Int32?
    public var metricsPort: Int32?
    public var bindAddressHardFail: Bool?
    public var profiling: Bool?
    public var showHiddenMetricsForVersion: String?
    public var clusterCIDR: String?
    public var configSyncPeriod: GoDuration?
    public var detectLocalMode: String?
    public var podBridgeInterface: String?
    public var podInterfaceNamePrefix: String?
    public var nodePortAddresses: [String]?
    /// Lists of `Gate=bool`.
    public var featureGates: [String]?
    public var masqueradeAll: Bool?
    public var masqueradeBit: Int32?
    public var iptablesLocalhostNodePorts: Bool?
    public var ipvsScheduler: String?
    public var ipvsSyncPeriod: GoDuration?
    public var ipvsMinSyncPeriod: GoDuration?
    public var ipvsExcludeCIDRs: [String]?
    public var ipvsStrictARP: Bool?
    public var ipvsTCPTimeout: GoDuration?
    public var ipvsTCPFinTimeout: GoDuration?
    public var ipvsUDPTimeout: GoDuration?
    public var oomScoreAdj: Int32?
    public var conntrack = Conntrack()
    public var logging = Logging()

    /// `--conntrack-…`.
    public struct Conntrack: Hashable, Sendable {
        public var maxPerCore: Int32?
        public var min: Int32?
        public var tcpTimeoutEstablished: GoDuration?
        public var tcpTimeoutCloseWait: GoDuration?
        public var tcpBeLiberal: Bool?
        public var udpTimeout: GoDuration?
        public var udpTimeoutStream: GoDuration?
    }

    /// The flags that apply even with a configuration file.
    public struct Logging: Hashable, Sendable {
        public var v: UInt32?
        /// `pattern=N,…`.
        public var vmodule: String?
        public var format: String?
        public var flushFrequency: GoDuration?
        public var textSplitStream: Bool?
        public var textInfoBufferSize: String?
        public var jsonSplitStream: Bool?
        public var jsonInfoBufferSize: String?
    }

    public init() {}
}

/// Replaces a value, if another was given.
private func assign<Value>(_ given: Value?, _ target: inout Value) {
    if let given { target = given }
}

/// Replaces an optional value, if another was given.
private func assign<Value>(_ given: Value?, _ target: inout Value?) {
    if let given { target = given }
}

extension FlagValues {
    /// Returns the configuration without a file.
    ///
    /// kube-proxy sets the defaults before it knows the mode. So without a file, the minimum sync period is that of the section `iptables`,
    /// 1 s, and the addresses of the servers do not depend on `--bind-address`.
    func configuration(resolvesPorts: Bool, _ check: inout FlagReader) -> KubeProxyConfiguration {
        var result = KubeProxyConfiguration().defaulted()
        // The only mode of this program.
        result.mode = proxyMode ?? KubeProxyConfiguration.ipvsMode
        result.ipvs.syncPeriod = result.iptables.syncPeriod
        result.ipvs.minSyncPeriod = result.iptables.minSyncPeriod
        result.clearOtherModes()
        fold(into: &result, &check)
        foldServers(into: &result, resolvesPorts: resolvesPorts, &check)
        conntrack.fold(into: &result.conntrack)
        logging.override(&result.logging, &check)
        return result
    }

    private func fold(into result: inout KubeProxyConfiguration, _ check: inout FlagReader) {
        assign(kubeconfig, &result.clientConnection.kubeconfig)
        assign(kubeAPIContentType, &result.clientConnection.contentType)
        assign(kubeAPIQPS, &result.clientConnection.qps)
        assign(kubeAPIBurst, &result.clientConnection.burst)
        assign(clusterCIDR, &result.clusterCIDR)
        assign(configSyncPeriod, &result.configSyncPeriod)
        assign(detectLocalMode, &result.detectLocalMode)
        assign(podBridgeInterface, &result.detectLocal.bridgeInterface)
        assign(podInterfaceNamePrefix, &result.detectLocal.interfaceNamePrefix)
        assign(nodePortAddresses, &result.nodePortAddresses)
        assign(featureGates.map { check.featureGates("--feature-gates", $0) }, &result.featureGates)
        assign(masqueradeAll, &result.iptables.masqueradeAll)
        assign(masqueradeBit, &result.iptables.masqueradeBit)
        assign(iptablesLocalhostNodePorts, &result.iptables.localhostNodePorts)
        assign(oomScoreAdj, &result.oomScoreAdj)
        assign(ipvsScheduler, &result.ipvs.scheduler)
        assign(ipvsExcludeCIDRs, &result.ipvs.excludeCIDRs)
        assign(ipvsStrictARP, &result.ipvs.strictARP)
        assign(ipvsTCPTimeout, &result.ipvs.tcpTimeout)
        assign(ipvsTCPFinTimeout, &result.ipvs.tcpFinTimeout)
        assign(ipvsUDPTimeout, &result.ipvs.udpTimeout)
        // They have no effect in other modes.
        guard result.mode == KubeProxyConfiguration.ipvsMode else { return }
        assign(ipvsSyncPeriod, &result.ipvs.syncPeriod)
        assign(ipvsMinSyncPeriod, &result.ipvs.minSyncPeriod)
    }

    /// An empty address leaves the default, except that it disables the metrics server, as documented in kube-proxy's help.
    private func foldServers(into result: inout KubeProxyConfiguration, resolvesPorts: Bool, _ check: inout FlagReader) {
        assign(bindAddress.flatMap { check.address("--bind-address", $0) }, &result.bindAddress)
        assign(healthzBindAddress.flatMap { check.hostPort("--healthz-bind-address", $0) }, &result.healthzBindAddress)
        assign(metricsBindAddress.flatMap { $0.isEmpty ? $0 : check.hostPort("--metrics-bind-address", $0) }, &result.metricsBindAddress)
        assign(bindAddressHardFail, &result.bindAddressHardFail)
        assign(profiling, &result.enableProfiling)
        assign(showHiddenMetricsForVersion, &result.showHiddenMetricsForVersion)
        guard resolvesPorts else { return }
        result.healthzBindAddress = FlagValues.address(
            result.healthzBindAddress, port: healthzPort ?? KubeProxyConfiguration.healthzPort)
        result.metricsBindAddress = FlagValues.address(
            result.metricsBindAddress, port: metricsPort ?? KubeProxyConfiguration.metricsPort)
    }

    /// Applies a deprecated port flag to an address: 0 disables the server, other ports are used if the address has none.
    static func address(_ text: String, port: Int32) -> String {
        port == 0 ? "" : HostPort.appending(port, to: text)
    }
}

extension FlagValues.Conntrack {
    fileprivate func fold(into conntrack: inout KubeProxyConntrackConfiguration) {
        assign(maxPerCore, &conntrack.maxPerCore)
        assign(min, &conntrack.min)
        assign(tcpTimeoutEstablished, &conntrack.tcpEstablishedTimeout)
        assign(tcpTimeoutCloseWait, &conntrack.tcpCloseWaitTimeout)
        assign(tcpBeLiberal, &conntrack.tcpBeLiberal)
        assign(udpTimeout, &conntrack.udpTimeout)
        assign(udpTimeoutStream, &conntrack.udpStreamTimeout)
    }
}

extension FlagValues.Logging {
    /// Overrides the values of the file with flags; entries of `--vmodule` precede those of the file.
    func override(_ logging: inout LoggingConfiguration, _ check: inout FlagReader) {
        assign(v, &logging.verbosity)
        assign(format, &logging.format)
        assign(flushFrequency.map(LoggingConfiguration.FlushFrequency.init), &logging.flushFrequency)
        assign(textSplitStream, &logging.options.text.splitStream)
        assign(jsonSplitStream, &logging.options.json.splitStream)
        assign(textInfoBufferSize.flatMap { check.quantity("--log-text-info-buffer-size", $0) }, &logging.options.text.infoBufferSize)
        assign(jsonInfoBufferSize.flatMap { check.quantity("--log-json-info-buffer-size", $0) }, &logging.options.json.infoBufferSize)
        logging.vmodule = check.vmodule(vmodule ?? "") + logging.vmodule
    }
}
