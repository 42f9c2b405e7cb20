internal import Glibc
internal import SystemPackage
public import Logging
public import Model

/// Makes a kernel ready for virtual servers, once at start: module, scheduler, settings.
public struct KernelSetup: Sendable {
    public var scheduler: Scheduler
    /// Where to keep what settings were before.
    public var stateDirectory: String

    public init(scheduler: Scheduler, stateDirectory: String) {
        self.scheduler = scheduler
        self.stateDirectory = stateDirectory
    }

    /// Fails with one line that says what is missing and how to get it.
    public func run(_ logger: Logger) async throws(DataplaneError) {
        try KernelSetup.requirePrivilege()
        try await KernelSetup.loadIPVS(logger)
        try requireScheduler()
        try await KernelSetup.loadConntrack(logger)
        try applySettings(logger)
    }

    /// Everything here needs CAP_NET_ADMIN; asking for it early tells it better than the first refusal.
    public static func requirePrivilege() throws(DataplaneError) {
        let status: String?
        do {
            status = try TextFile.read("/proc/self/status")
        } catch {
            throw DataplaneError("/proc/self/status", error)
        }
        let capabilities = (status ?? "").split(separator: "\n").first { $0.hasPrefix("CapEff:") }?.split(whereSeparator: \.isWhitespace)
            .last
        let netAdmin: UInt64 = 1 << 12
        guard let capabilities, let bits = UInt64(capabilities, radix: 16), bits & netAdmin != 0 else {
            throw DataplaneError("privilege", "missing CAP_NET_ADMIN: run as root (sudo), or give the container the capability NET_ADMIN")
        }
    }

    /// The kernel loads `ip_vs` when its family is asked for, where it may; a container's modprobe is the second try.
    private static func loadIPVS(_ logger: Logger) async throws(DataplaneError) {
        do throws(DataplaneError) {
            _ = try IPVSClient()
        } catch {
            // Whatever modprobe says, what counts is whether the family is there afterwards.
            let result = try? await Command.run("modprobe", ["ip_vs"])
            logger.debug("Loaded IPVS by modprobe", metadata: ["complaint": "\(result?.complaint ?? "modprobe is not installed")"])
            _ = try IPVSClient()
        }
    }

    /// As `ip_vs`, the kernel loads it when it is asked; without it everything else works.
    private static func loadConntrack(_ logger: Logger) async throws(DataplaneError) {
        if try ConntrackClient().isSupported { return }
        let result = try? await Command.run("modprobe", ["nf_conntrack_netlink"])
        if try ConntrackClient().isSupported { return }
        logger.warning(
            "The kernel cannot be made to forget UDP flows: clients that keep a socket may go on sending to an endpoint that is gone",
            metadata: [
                "missing": "the module nf_conntrack_netlink (modprobe nf_conntrack_netlink)",
                "complaint": "\(result?.complaint ?? "modprobe is not installed")",
            ])
    }

    private func requireScheduler() throws(DataplaneError) {
        guard try IPVSClient().hasScheduler(scheduler) else {
            throw DataplaneError(
                "scheduler \(scheduler)",
                "this kernel does not have it: load the module ip_vs_\(scheduler) (modprobe ip_vs_\(scheduler)) or choose another with --ipvs-scheduler, such as rr"
            )
        }
    }

    /// A setting IPVS mode needs.
    private struct Setting {
        var sysctl: Sysctl
        var value: String
        /// Without it connections would break; others are better to have.
        var isRequired: Bool
    }

    private func settings() throws(DataplaneError) -> [Setting] {
        var settings = [
            // MASQUERADE and policies must see IPVS connections.
            Setting(sysctl: Sysctl("net.ipv4.vs.conntrack"), value: "1", isRequired: true),
            // A connection to a real server that is gone ends with its next packet instead of hanging.
            Setting(sysctl: Sysctl("net.ipv4.vs.expire_nodest_conn"), value: "1", isRequired: false),
            // A client's affinity lets go of a real server that drains.
            Setting(sysctl: Sysctl("net.ipv4.vs.expire_quiescent_template"), value: "1", isRequired: false),
            Setting(sysctl: Sysctl("net.ipv4.ip_forward"), value: "1", isRequired: true),
        ]
        if try KernelVersion.current() < KernelVersion(5, 9) {
            // Before 5.9 a reused client port costs a second with the default (kubernetes/kubernetes#93297).
            settings.append(Setting(sysctl: Sysctl("net.ipv4.vs.conn_reuse_mode"), value: "0", isRequired: false))
        }
        return settings
    }

    private func applySettings(_ logger: Logger) throws(DataplaneError) {
        let record = SysctlRecord(directory: stateDirectory)
        for setting in try settings() {
            guard let current = try setting.sysctl.read() else {
                guard !setting.isRequired else { throw DataplaneError("sysctl \(setting.sysctl.name)", "this kernel does not have it") }
                logger.warning("The kernel lacks a setting", metadata: ["sysctl": "\(setting.sysctl.name)"])
                continue
            }
            guard current != setting.value else { continue }
            try makeStateDirectory()
            try record.note(setting.sysctl, value: current)
            try setting.sysctl.write(setting.value)
            logger.info(
                "Changed a kernel setting",
                metadata: ["sysctl": "\(setting.sysctl.name)", "before": "\(current)", "now": "\(setting.value)"])
        }
    }

    /// Families that this node can serve: iptables has them, and IPv6 is not switched off.
    public static func supportedFamilies(_ iptables: IPTables) throws(DataplaneError) -> Set<IPFamily> {
        guard let isOff = try Sysctl("net.ipv6.conf.all.disable_ipv6").read(), isOff != "1" else {
            return iptables.families.subtracting([.ipv6])
        }
        return iptables.families
    }

    private func makeStateDirectory() throws(DataplaneError) {
        guard unsafe mkdir(stateDirectory, 0o755) == 0 || errno == EEXIST else {
            throw DataplaneError("mkdir \(stateDirectory)", "\(Errno(rawValue: errno)): choose another place with --state-directory")
        }
    }

    /// Puts back the settings that were changed.
    public static func restoreSettings(stateDirectory: String) throws(DataplaneError) -> [DataplaneError] {
        try SysctlRecord(directory: stateDirectory).restore()
    }
}

/// Major and minor version of a kernel.
struct KernelVersion: Comparable {
    var major: Int
    var minor: Int

    init(_ major: Int, _ minor: Int) {
        self.major = major
        self.minor = minor
    }

    /// From `6.1.0-18-amd64`; nil where that is not a version.
    init?(_ release: String) {
        let numbers = release.split(whereSeparator: { !$0.isNumber }).prefix(2).compactMap { Int($0) }
        guard numbers.count == 2 else { return nil }
        self.init(numbers[0], numbers[1])
    }

    static func current() throws(DataplaneError) -> KernelVersion {
        guard let release = try Sysctl("kernel.osrelease").read(), let version = KernelVersion(release) else {
            throw DataplaneError("sysctl kernel.osrelease", "is not a version")
        }
        return version
    }

    static func < (lhs: KernelVersion, rhs: KernelVersion) -> Bool { (lhs.major, lhs.minor) < (rhs.major, rhs.minor) }
}
