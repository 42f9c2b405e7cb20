internal import ArgumentParser
internal import KubeProxyConfiguration

/// Flags of kube-proxy that mean nothing in ipvs mode: accepted, so that its command lines need no change.
struct OtherModesOptions: ParsableArguments {
    @Option(help: .hidden) var iptablesLocalhostNodeports: GoBool?
    @Option(help: .hidden) var iptablesSyncPeriod: GoDuration?
    @Option(help: .hidden) var iptablesMinSyncPeriod: GoDuration?
    @Option(name: .customLong("boot-id-file"), help: .hidden) var bootIDFile: String?
    @Option(name: .customLong("machine-id-file"), help: .hidden) var machineIDFile: String?

    func put(into flags: inout FlagValues) { flags.iptablesLocalhostNodePorts = iptablesLocalhostNodeports?.value }
}
