import Testing

@testable import KubeProxyConfiguration

private struct Case: CustomTestStringConvertible {
    let testDescription: String
    let errors: [String]
    let change: @Sendable (inout KubeProxyConfiguration) -> Void

    init(_ name: String, _ errors: String..., change: @escaping @Sendable (inout KubeProxyConfiguration) -> Void) {
        (testDescription, self.errors, self.change) = (name, errors, change)
    }
}

private let cases: [Case] = [
    Case(
        "bind address with a port", "BindAddress: Invalid value: \"10.10.12.11:2000\": not a valid textual representation of an IP address"
    ) {
        $0.bindAddress = "10.10.12.11:2000"
    },
    Case("bind address in brackets", "BindAddress: Invalid value: \"[::]\": not a valid textual representation of an IP address") {
        $0.bindAddress = "[::]"
    },
    Case("healthz without a port", "HealthzBindAddress: Invalid value: \"0.0.0.0\": must be IP:port") { $0.healthzBindAddress = "0.0.0.0" },
    Case("metrics without a port", "MetricsBindAddress: Invalid value: \"127.0.0.1\": must be IP:port") {
        $0.metricsBindAddress = "127.0.0.1"
    },
    Case("metrics on port 0", "MetricsBindAddress: Invalid value: \"0\": must be a valid port") { $0.metricsBindAddress = "1.2.3.4:0" },
    Case("metrics on port 65536", "MetricsBindAddress: Invalid value: \"65536\": must be a valid port") {
        $0.metricsBindAddress = "[::1]:65536"
    },
    Case("metrics on a port that is text", "MetricsBindAddress: Invalid value: \"http\": must be a valid port") {
        $0.metricsBindAddress = "1.2.3.4:http"
    },
    Case("healthz on an invalid address", "HealthzBindAddress: Invalid value: \"1.2.3\": must be a valid IP") {
        $0.healthzBindAddress = "1.2.3:80"
    },
    Case("config sync period of 0", "ConfigSyncPeriod: Invalid value: \"0s\": must be greater than 0") { $0.configSyncPeriod = .zero },
    Case("config sync period below 0", "ConfigSyncPeriod: Invalid value: \"-1s\": must be greater than 0") {
        $0.configSyncPeriod = .seconds(-1)
    },
    Case("sync period of 0", "SyncPeriod: Invalid value: \"0s\": must be greater than 0") {
        ($0.ipvs.syncPeriod, $0.ipvs.minSyncPeriod) = (.zero, .zero)
    },
    Case("minimum below 0", "MinSyncPeriod: Invalid value: \"-1s\": must be greater than or equal to 0") {
        $0.ipvs.minSyncPeriod = .seconds(-1)
    },
    Case(
        "minimum above the period",
        "SyncPeriod: Invalid value: \"31s\": must be greater than or equal to KubeProxyConfiguration.MinSyncPeriod"
    ) {
        $0.ipvs.minSyncPeriod = .seconds(31)
    },
    Case(
        "unknown detect-local mode",
        "DetectLocalMode: Unsupported value: \"Guess\": supported values: \"ClusterCIDR\", \"NodeCIDR\", \"BridgeInterface\", \"InterfaceNamePrefix\", \"\""
    ) { $0.detectLocalMode = "Guess" },
    Case(
        "unknown packet filter",
        "kube-ipvs-proxy.io/packet-filter: Invalid value: \"ipvs\": must be one of auto, iptables, nftables, in the file or in --packet-filter"
    ) { $0.packetFilter = "ipvs" },
    Case(
        "unknown kind of service addresses",
        "kube-ipvs-proxy.io/service-addresses: Invalid value: \"routes\": must be one of auto, address, route, in the file or in --service-addresses"
    ) { $0.serviceAddresses = "routes" },
    Case("log format", "logging.format: Invalid value: \"xml\": Unsupported log format") { $0.logging.format = "xml" },
    Case("levels of files for JSON", "logging.vmodule: Forbidden: Only supported for text log format") {
        $0.logging.format = "json"
        $0.logging.vmodule = [.init(filePattern: "a", verbosity: 1)]
    },
    Case("levels without a file", "logging.vmodule[0]: Required value: File pattern must not be empty") {
        $0.logging.vmodule = [.init(filePattern: "", verbosity: 1)]
    },
    Case("files with a comma", "logging.vmodule[0]: Invalid value: \"a,b\": File pattern must not contain equal sign or comma") {
        $0.logging.vmodule = [.init(filePattern: "a,b", verbosity: 1)]
    },
    Case("split stream", "logging.options.json.splitStream: Forbidden: Feature LoggingAlphaOptions is disabled") {
        $0.logging.options.json.splitStream = true
    },
    Case("flush frequency below 0", "logging.flushFrequency: Invalid value: \"-1s\": must be greater than 0") {
        $0.logging.flushFrequency = .init(.seconds(-1))
    },
    Case("mark bit below 0", "KubeProxyIPTablesConfiguration.MasqueradeBit: Invalid value: -1: must be within the range [0, 31]") {
        $0.iptables.masqueradeBit = -1
    },
    Case("mark bit above 31", "KubeProxyIPTablesConfiguration.MasqueradeBit: Invalid value: 32: must be within the range [0, 31]") {
        $0.iptables.masqueradeBit = 32
    },
    Case("TCP timeout", "KubeProxyIPVSConfiguration.TCPTimeout: Invalid value: \"-1s\": must be greater than or equal to 0") {
        $0.ipvs.tcpTimeout = .seconds(-1)
    },
    Case("FIN timeout", "KubeProxyIPVSConfiguration.TCPFinTimeout: Invalid value: \"-1s\": must be greater than or equal to 0") {
        $0.ipvs.tcpFinTimeout = .seconds(-1)
    },
    Case("UDP timeout", "KubeProxyIPVSConfiguration.UDPTimeout: Invalid value: \"-1s\": must be greater than or equal to 0") {
        $0.ipvs.udpTimeout = .seconds(-1)
    },
    Case("excluded range", "KubeProxyIPVSConfiguration.ExcludeCidrs[1]: Invalid value: \"192.168.100\": must be a valid CIDR") {
        $0.ipvs.excludeCIDRs = ["10.0.0.0/8", "192.168.100"]
    },
    Case(
        "connections per core",
        "KubeProxyLinuxConfiguration.KubeProxyConntrackConfiguration.MaxPerCore: Invalid value: -1: must be greater than or equal to 0"
    ) { $0.conntrack.maxPerCore = -1 },
    Case(
        "all else of connection tracking",
        "KubeProxyLinuxConfiguration.KubeProxyConntrackConfiguration.Min: Invalid value: -1: must be greater than or equal to 0",
        "KubeProxyLinuxConfiguration.KubeProxyConntrackConfiguration.TCPEstablishedTimeout: Invalid value: \"-1s\": must be greater than or equal to 0",
        "KubeProxyLinuxConfiguration.KubeProxyConntrackConfiguration.TCPCloseWaitTimeout: Invalid value: \"-1s\": must be greater than or equal to 0",
        "KubeProxyLinuxConfiguration.KubeProxyConntrackConfiguration.UDPTimeout: Invalid value: \"-1s\": must be greater than or equal to 0",
        "KubeProxyLinuxConfiguration.KubeProxyConntrackConfiguration.UDPStreamTimeout: Invalid value: \"-1s\": must be greater than or equal to 0"
    ) {
        $0.conntrack.min = -1
        ($0.conntrack.tcpEstablishedTimeout, $0.conntrack.tcpCloseWaitTimeout) = (.seconds(-1), .seconds(-1))
        ($0.conntrack.udpTimeout, $0.conntrack.udpStreamTimeout) = (.seconds(-1), .seconds(-1))
    },
    Case("OOM score", "KubeProxyLinuxConfiguration.OOMScoreAdj: Invalid value: 1001: must be within the range [-1000, 1000]") {
        $0.oomScoreAdj = 1001
    },
    Case("burst", "ClientConnection.Burst: Invalid value: -5: must be greater than or equal to 0") { $0.clientConnection.burst = -5 },
    Case("range of node ports", "NodePortAddresses[0]: Invalid value: \"127.0.0.1\": must be a valid CIDR") {
        $0.nodePortAddresses = ["127.0.0.1", "10.0.0.0/8"]
    },
    Case("primary with ranges", "NodePortAddresses[0]: Invalid value: \"primary\": can't use both 'primary' and CIDRs") {
        $0.nodePortAddresses = ["primary", "127.0.0.1/32"]
    },
    Case("ranges with primary", "NodePortAddresses[1]: Invalid value: \"primary\": can't use both 'primary' and CIDRs") {
        $0.nodePortAddresses = ["127.0.0.1/32", "primary"]
    },
    Case("no bridge", "DetectLocalConfiguration.InterfaceName: Invalid value: \"\": must not be empty") {
        $0.detectLocalMode = "BridgeInterface"
    },
    Case("no prefix", "DetectLocalConfiguration.InterfacePrefix: Invalid value: \"\": must not be empty") {
        $0.detectLocalMode = "InterfaceNamePrefix"
    },
    Case(
        "three cluster ranges",
        "DetectLocalConfiguration.ClusterCIDRs: Invalid value: [\"10.0.0.0/8\",\"fd00::/64\",\"fd01::/64\"]: must be a either a single CIDR or dual-stack pair of CIDRs (e.g. [10.100.0.0/16, fde4:8dba:82e1::/48]"
    ) { $0.clusterCIDR = "10.0.0.0/8,fd00::/64,fd01::/64" },
    Case(
        "two cluster ranges of a family",
        "DetectLocalConfiguration.ClusterCIDRs: Invalid value: [\"fd00::/64\",\"fd01::/64\"]: must be a either a single CIDR or dual-stack pair of CIDRs (e.g. [10.100.0.0/16, fde4:8dba:82e1::/48]"
    ) { $0.clusterCIDR = "fd00::/64,fd01::/64" },
    Case(
        "invalid cluster range",
        "DetectLocalConfiguration.ClusterCIDRs[0]: Invalid value: \"192.168.59.0\": must be a valid CIDR block (e.g. 10.100.0.0/16 or fde4:8dba:82e1::/48)"
    ) { $0.clusterCIDR = "192.168.59.0" },
    Case(
        "hidden metrics",
        "ShowHiddenMetricsForVersion: Invalid value: \"1.34\": --show-hidden-metrics-for-version must be omitted or have the value '1.35'. Only the previous minor version is allowed"
    ) { $0.showHiddenMetricsForVersion = "1.34" },
    Case("good: addresses of IPv6") {
        ($0.bindAddress, $0.healthzBindAddress, $0.metricsBindAddress) = ("fd00:192:168:59::2", "[fd00::2]:10256", "[::]:10249")
    },
    Case("good: an address with zeros in front") { $0.bindAddress = "010.000.000.001" },
    Case("good: no ranges") { ($0.clusterCIDR, $0.nodePortAddresses, $0.ipvs.excludeCIDRs) = ("", [], []) },
    Case("good: a pair of ranges") { $0.clusterCIDR = "fd00:192:168::/64,192.168.59.0/24" },
    Case("good: primary") { $0.nodePortAddresses = ["primary"] },
    Case("good: ends of ranges") {
        ($0.iptables.masqueradeBit, $0.oomScoreAdj, $0.ipvs.minSyncPeriod) = (31, 1000, .seconds(30))
        ($0.conntrack.maxPerCore, $0.conntrack.min, $0.clientConnection.burst) = (0, 0, 0)
    },
    Case("good: a bridge") { ($0.detectLocalMode, $0.detectLocal.bridgeInterface) = ("BridgeInterface", "avz1234567890123456789") },
    Case("good: a prefix") { ($0.detectLocalMode, $0.detectLocal.interfaceNamePrefix) = ("InterfaceNamePrefix", "veth") },
    Case("good: by the node's ranges, with any cluster ranges") { ($0.detectLocalMode, $0.clusterCIDR) = ("NodeCIDR", "x") },
    Case("good: hidden metrics of the previous version") { $0.showHiddenMetricsForVersion = "1.35" },
    Case("good: no health") { $0.healthzBindAddress = "" },
    Case("good: alpha options of logging") {
        $0.featureGates = ["LoggingAlphaOptions": true]
        $0.logging.options.text.splitStream = true
    },
]

@Suite struct `Validation` {
    private var good: KubeProxyConfiguration {
        get throws { try KubeProxyConfiguration.effective(file: nil, flags: FlagValues()) }
    }

    @Test(arguments: cases) fileprivate func `M13: reports exactly the errors of each field`(_ given: Case) throws {
        var configuration = try good
        given.change(&configuration)
        let reported = configuration.validate().map { "\($0)" }
        #expect(reported == given.errors.map { "KubeProxyConfiguration.\($0)" })
        #expect(configuration.validate().allSatisfy { $0.flag?.hasPrefix("--") == true })
    }

    @Test(arguments: ["iptables", "nftables", "kernelspace", "unknown"]) func `M13: accepts no mode but ipvs`(mode: String) throws {
        var configuration = try good
        configuration.mode = mode
        (configuration.iptables.syncPeriod, configuration.nftables.syncPeriod) = (.seconds(1), .seconds(1))
        #expect(configuration.validate().map(\.field) == ["KubeProxyConfiguration.Mode.ProxyMode"])
    }
}
