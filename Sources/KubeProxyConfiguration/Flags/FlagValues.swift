/// Flags as they were given, before anything is made of them; nil for those that were not.
public struct FlagValues: Hashable, Sendable {
    // This program's own.
    public var manifests: String?
    public var drainTimeout = "15m"
    public var iptablesBackend = "auto"
    public var serviceClusterIPRange = "10.96.0.0/12"
    public var stateDirectory = "/run/kube-ipvs-proxy"
    public var localhostNodePorts = false
    public var metricsPerService = "service"
    public var metricsPerServiceLimit = 100
    public var externalIPCIDRs: [String] = []
    public var otherNodeAddresses = "auto"

    // kube-proxy's, by its names.
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

    /// Those that count even beside a file.
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

/// Puts a value that was given in the place of another.
private func take<Value>(_ given: Value?, _ place: inout Value) {
    if let given { place = given }
}

/// The same for a field that may be absent.
private func take<Value>(_ given: Value?, _ place: inout Value?) {
    if let given { place = given }
}

extension FlagValues {
    /// The object that flags alone make.
    ///
    /// kube-proxy fills in the defaults before it knows the mode. So without a file the shortest time between two syncs is that of the section
    /// `iptables`, 1 s, and the addresses of the servers do not follow `--bind-address`.
    func configuration(resolvesPorts: Bool, _ check: inout FlagReader) -> KubeProxyConfiguration {
        var result = KubeProxyConfiguration().defaulted()
        // This program's name says it.
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
        take(kubeconfig, &result.clientConnection.kubeconfig)
        take(kubeAPIContentType, &result.clientConnection.contentType)
        take(kubeAPIQPS, &result.clientConnection.qps)
        take(kubeAPIBurst, &result.clientConnection.burst)
        take(clusterCIDR, &result.clusterCIDR)
        take(configSyncPeriod, &result.configSyncPeriod)
        take(detectLocalMode, &result.detectLocalMode)
        take(podBridgeInterface, &result.detectLocal.bridgeInterface)
        take(podInterfaceNamePrefix, &result.detectLocal.interfaceNamePrefix)
        take(nodePortAddresses, &result.nodePortAddresses)
        take(featureGates.map { check.featureGates("--feature-gates", $0) }, &result.featureGates)
        take(masqueradeAll, &result.iptables.masqueradeAll)
        take(masqueradeBit, &result.iptables.masqueradeBit)
        take(iptablesLocalhostNodePorts, &result.iptables.localhostNodePorts)
        take(oomScoreAdj, &result.oomScoreAdj)
        take(ipvsScheduler, &result.ipvs.scheduler)
        take(ipvsExcludeCIDRs, &result.ipvs.excludeCIDRs)
        take(ipvsStrictARP, &result.ipvs.strictARP)
        take(ipvsTCPTimeout, &result.ipvs.tcpTimeout)
        take(ipvsTCPFinTimeout, &result.ipvs.tcpFinTimeout)
        take(ipvsUDPTimeout, &result.ipvs.udpTimeout)
        // In another mode they mean nothing.
        guard result.mode == KubeProxyConfiguration.ipvsMode else { return }
        take(ipvsSyncPeriod, &result.ipvs.syncPeriod)
        take(ipvsMinSyncPeriod, &result.ipvs.minSyncPeriod)
    }

    /// An empty address leaves the default; only the metrics server can be switched off by one, as kube-proxy's help has it.
    private func foldServers(into result: inout KubeProxyConfiguration, resolvesPorts: Bool, _ check: inout FlagReader) {
        take(bindAddress.flatMap { check.address("--bind-address", $0) }, &result.bindAddress)
        take(healthzBindAddress.flatMap { check.hostPort("--healthz-bind-address", $0) }, &result.healthzBindAddress)
        take(metricsBindAddress.flatMap { $0.isEmpty ? $0 : check.hostPort("--metrics-bind-address", $0) }, &result.metricsBindAddress)
        take(bindAddressHardFail, &result.bindAddressHardFail)
        take(profiling, &result.enableProfiling)
        take(showHiddenMetricsForVersion, &result.showHiddenMetricsForVersion)
        guard resolvesPorts else { return }
        result.healthzBindAddress = FlagValues.address(
            result.healthzBindAddress, port: healthzPort ?? KubeProxyConfiguration.healthzPort)
        result.metricsBindAddress = FlagValues.address(
            result.metricsBindAddress, port: metricsPort ?? KubeProxyConfiguration.metricsPort)
    }

    /// What the deprecated flags of ports make of an address: 0 switches the server off, others count where the address has none.
    static func address(_ text: String, port: Int32) -> String {
        port == 0 ? "" : HostPort.appending(port, to: text)
    }
}

extension FlagValues.Conntrack {
    fileprivate func fold(into conntrack: inout KubeProxyConntrackConfiguration) {
        take(maxPerCore, &conntrack.maxPerCore)
        take(min, &conntrack.min)
        take(tcpTimeoutEstablished, &conntrack.tcpEstablishedTimeout)
        take(tcpTimeoutCloseWait, &conntrack.tcpCloseWaitTimeout)
        take(tcpBeLiberal, &conntrack.tcpBeLiberal)
        take(udpTimeout, &conntrack.udpTimeout)
        take(udpTimeoutStream, &conntrack.udpStreamTimeout)
    }
}

extension FlagValues.Logging {
    /// Puts what was given in the place of what the file says; `--vmodule` comes before the file's entries.
    func override(_ logging: inout LoggingConfiguration, _ check: inout FlagReader) {
        take(v, &logging.verbosity)
        take(format, &logging.format)
        take(flushFrequency.map(LoggingConfiguration.FlushFrequency.init), &logging.flushFrequency)
        take(textSplitStream, &logging.options.text.splitStream)
        take(jsonSplitStream, &logging.options.json.splitStream)
        take(textInfoBufferSize.flatMap { check.quantity("--log-text-info-buffer-size", $0) }, &logging.options.text.infoBufferSize)
        take(jsonInfoBufferSize.flatMap { check.quantity("--log-json-info-buffer-size", $0) }, &logging.options.json.infoBufferSize)
        logging.vmodule = check.vmodule(vmodule ?? "") + logging.vmodule
    }
}
