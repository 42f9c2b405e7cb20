internal import SystemPackage
public import Logging
public import Model

/// Prepares the kernel for virtual servers, once at startup: modules, schedulers and settings.
public struct KernelSetup: Sendable {
    public var scheduler: Scheduler
    /// The directory in which the previous settings are saved.
    public var stateDirectory: String

    public var timeouts: IPVSTimeouts
    public var conntrack: ConntrackSettings
    /// Whether the node answers ARP requests only for addresses of the interface that received them; false changes nothing.
    public var strictARP: Bool
    /// The OOM score adjustment of this process, −1000…1000; nil changes nothing.
    public var oomScoreAdj: Int?

    public init(
        scheduler: Scheduler, stateDirectory: String, timeouts: IPVSTimeouts = IPVSTimeouts(),
        conntrack: ConntrackSettings = ConntrackSettings(), strictARP: Bool = false, oomScoreAdj: Int? = nil
    ) {
        self.scheduler = scheduler
        self.stateDirectory = stateDirectory
        self.timeouts = timeouts
        self.conntrack = conntrack
        self.strictARP = strictARP
        self.oomScoreAdj = oomScoreAdj
    }

    /// Loads modules and tests the scheduler, which changes nothing else.
    ///
    /// Fails with one line that names the missing part and how to install it. The kernel has the default scheduler afterwards; the others are
    /// tested only once a Service asks for them.
    public func prepare(_ probing: Probing, _ logger: Logger) async throws {
        try await probing.run("IPVS") { try await KernelSetup.loadIPVS(logger) }
        try await probing.run("IPVS scheduler") { try await loadScheduler(logger) }
        try await loadConntrack(probing, logger)
    }

    /// Changes the kernel settings that differ, after `prepare`. Only the instance that serves may do so.
    public func applySettings(_ probing: Probing, _ logger: Logger) async throws {
        try await probing.run("kernel settings") { try applySettings(logger) }
        try await probing.run("IPVS timeouts") { try setTimeouts(logger) }
        setOOMScore(logger)
    }

    /// Fails without CAP_NET_ADMIN, which everything here needs, with a clearer error than that of the first request.
    public static func requirePrivilege() throws(DataplaneError) {
        let status: String?
        do {
            status = try TextFile.read("/proc/self/status")
        } catch {
            throw DataplaneError("/proc/self/status", error, what: "failed to read")
        }
        guard let status else { throw DataplaneError("/proc/self/status", "not found: mount the file system proc on /proc") }
        let capabilities = status.split(separator: "\n").first { $0.hasPrefix("CapEff:") }?.split(whereSeparator: \.isWhitespace)
            .last
        let netAdmin: UInt64 = 1 << 12
        guard let capabilities, let bits = UInt64(capabilities, radix: 16), bits & netAdmin != 0 else {
            throw DataplaneError("privilege", "missing CAP_NET_ADMIN: run as root (sudo), or add the capability NET_ADMIN to the container")
        }
    }

    /// The kernel loads `ip_vs` when its netlink family is requested, if permitted; the container's modprobe is the fallback.
    private static func loadIPVS(_ logger: Logger) async throws(DataplaneError) {
        if try IPVSClient.isAvailable() { return }
        let standardError = try await loadModule("ip_vs")
        logger.debug("Ran modprobe for IPVS module", metadata: ["standardError": "\(standardError)"])
        _ = try IPVSClient()
    }

    /// Runs modprobe. Fails, temporarily, only if it could not be started, timed out or lacked a resource: its exit code does not matter if the
    /// kernel has the module afterwards.
    ///
    /// - Returns: the standard error of modprobe.
    private static func loadModule(_ name: String) async throws(DataplaneError) -> String {
        switch await Command.attempt("modprobe", [name]) {
        case .ran(let result):
            if IPTablesResult.isShortage(result) { throw DataplaneError("modprobe \(name)", result.standardError, isTemporary: true) }
            return result.standardError
        case .notFound: return "modprobe is not installed"
        case .notRun(let reason): throw DataplaneError("modprobe \(name)", reason, isTemporary: true)
        }
    }

    /// Like `ip_vs`, the kernel loads it on request. Everything else works without it, so startup waits for it only for a limited time.
    private func loadConntrack(_ probing: Probing, _ logger: Logger) async throws {
        var standardError: String?
        do {
            standardError = try await probing.limited(to: .seconds(30)).run("conntrack") {
                if try ConntrackClient().isSupported { return nil }
                let standardError = try await KernelSetup.loadModule("nf_conntrack_netlink")
                return try ConntrackClient().isSupported ? nil : standardError
            }
        } catch let error as DataplaneError {
            standardError = error.description
        }
        guard let standardError else { return }
        logger.warning(
            "Conntrack entries cannot be flushed; UDP clients may keep sending to removed endpoints",
            metadata: [
                "missing": "\(ModuleLoading.advice("nf_conntrack_netlink"))",
                "error": "\(standardError)",
            ])
    }

    /// Tests the default scheduler, so that the kernel loads it; the container's modprobe is the fallback.
    private func loadScheduler(_ logger: Logger) async throws(DataplaneError) {
        let client = try IPVSClient()
        if try client.hasScheduler(scheduler) { return }
        let standardError = try await KernelSetup.loadModule("ip_vs_\(scheduler)")
        logger.debug("Ran modprobe for scheduler module", metadata: ["standardError": "\(standardError)"])
        if try client.hasScheduler(scheduler) { return }
        let found = try client.schedulers(among: Scheduler.ofLinux)
        throw DataplaneError(
            "scheduler \(scheduler)",
            "not available in this kernel: \(ModuleLoading.advice("ip_vs_\(scheduler)")); or choose an available one with --ipvs-scheduler: "
                + Scheduler.ofLinux.filter(found.contains).map(\.name).joined(separator: ", "))
    }

    /// Loads every scheduler, for a proxy that runs later when modules can no longer be loaded.
    public static func loadSchedulers() throws(DataplaneError) {
        _ = try IPVSClient().schedulers(among: Scheduler.ofLinux)
    }

    /// A failure is logged at debug level: a container may lack the permission, and it matters only when memory runs out.
    private func setOOMScore(_ logger: Logger) {
        guard let oomScoreAdj else { return }
        do {
            try TextFile.write("\(oomScoreAdj)", to: "/proc/self/oom_score_adj", options: [])
        } catch {
            logger.debug("Failed to set OOM score", metadata: ["oomScoreAdj": "\(oomScoreAdj)", "error": "\(error)"])
        }
    }

    /// The families that this node may have: IPv4, and IPv6 unless it is disabled.
    public static func enabledFamilies() throws(DataplaneError) -> Set<IPFamily> {
        guard let isOff = try Sysctl("net.ipv6.conf.all.disable_ipv6").read(), isOff != "1" else { return [.ipv4] }
        return [.ipv4, .ipv6]
    }

    /// The families without virtual servers in this kernel, each with the reason.
    public func familiesWithoutIPVS(among families: Set<IPFamily>) throws(DataplaneError) -> [IPFamily: String] {
        let client = try IPVSClient()
        var missing: [IPFamily: String] = [:]
        // The test of the scheduler was one of IPv4.
        for family in families.subtracting([.ipv4]) where try !client.accepts(family, scheduler) {
            missing[family] = "IPVS of this kernel does not accept \(family.rawValue) addresses: boot a kernel with CONFIG_IP_VS_IPV6"
        }
        return missing
    }
}
