internal import Glibc
public import Logging

/// The settings of the kernel: setting, auditing and restoring them.
extension KernelSetup {
    func applySettings(_ logger: Logger) throws(DataplaneError) {
        try KernelSysctls(stateDirectory: stateDirectory).apply(try settings()) { outcome in
            switch outcome {
            case .changed(let sysctl, let before, let now):
                logger.info(
                    "Changed kernel setting", metadata: ["sysctl": "\(sysctl.name)", "before": "\(before)", "now": "\(now)"])
            case .missing(let sysctl): logger.warning("Kernel setting not supported by this kernel", metadata: ["sysctl": "\(sysctl.name)"])
            case .refused(let error): logger.warning("Failed to change kernel setting", metadata: ["error": "\(error)"])
            }
        }
    }

    private func settings() throws(DataplaneError) -> [KernelSetting] {
        KernelSetting.ipvs(kernel: try KernelVersion.current(), strictARP: strictARP)
            + KernelSetting.conntrack(conntrack, processors: Int(sysconf(Int32(_SC_NPROCESSORS_ONLN))))
    }

    /// Connections are kept as long as before where the kernel will not have it: that is told, and everything else works.
    func setTimeouts(_ logger: Logger) throws(DataplaneError) {
        let ipvs = try IPVSClient()
        let before = try ipvs.timeouts()
        guard timeouts.isWanting(of: before) else { return }
        try TimeoutRecord(directory: stateDirectory).note(before)
        if let failure = try ipvs.setTimeouts(timeouts) {
            guard !failure.isTemporary else { throw failure }
            logger.error("Failed to set IPVS timeouts", metadata: ["error": "\(failure)"])
        }
    }

    /// Looks again and again whether others changed settings, until the task is cancelled: what Services need is put right, all is told.
    public func keepSettings(every interval: Duration, _ logger: Logger) async throws {
        let sysctls = KernelSysctls(stateDirectory: stateDirectory)
        var audit = SettingsAudit(try await Probing(.endless, logger).answer("kernel version") { try settings() })
        var timeoutAudit = TimeoutAudit(wanted: timeouts)
        // What could not be set at the start was told then.
        _ = audit.look(at: sysctls)
        // What stands in the way now does so at the first look, which tells.
        if let atStart = try? IPVSClient().timeouts() { _ = timeoutAudit.look(at: atStart) }
        while !Task.isCancelled {
            try await Task.sleep(for: interval)
            for finding in audit.look(at: sysctls) { report(finding, logger) }
            auditTimeouts(&timeoutAudit, logger)
        }
    }

    private func auditTimeouts(_ audit: inout TimeoutAudit, _ logger: Logger) {
        do throws(DataplaneError) {
            guard let found = audit.look(at: try IPVSClient().timeouts()) else { return }
            logger.warning(
                "IPVS timeouts changed externally; run ipvsadm --set or restart the proxy to restore them",
                metadata: ["now": "\(found.seconds)", "wanted": "\(timeouts.seconds)"])
        } catch {
            logger.error("Failed to read IPVS timeouts", metadata: ["error": "\(error)"])
        }
    }

    private func report(_ finding: SettingsAudit.Finding, _ logger: Logger) {
        switch finding {
        case .putBack(let sysctl, let found, let wanted):
            logger.warning(
                "Repaired kernel setting changed externally",
                metadata: ["sysctl": "\(sysctl.name)", "found": "\(found)", "now": "\(wanted)"])
        case .changed(let sysctl, let found, let wanted):
            logger.warning(
                "Kernel setting changed externally", metadata: ["sysctl": "\(sysctl.name)", "now": "\(found)", "wanted": "\(wanted)"])
        case .failed(let error):
            logger.error("Failed to repair kernel setting required by Services", metadata: ["error": "\(error)"])
        }
    }

    /// A setting that gets back the value that it had before this program changed it.
    public struct SysctlRestoration: Hashable, Sendable {
        /// The command that a person would type for the same effect.
        public var command: String
    }

    /// What `restoreSettings` would change.
    public static func settingsToRestore(stateDirectory: String) throws(DataplaneError) -> [SysctlRestoration] {
        var list: [SysctlRestoration] = []
        for (name, value) in try SysctlRecord(directory: stateDirectory).values() {
            if let current = try Sysctl(name).read(), current != value {
                list.append(SysctlRestoration(command: "sysctl -w \(name)=\(value)"))
            }
        }
        if let before = try TimeoutRecord(directory: stateDirectory).timeouts(), try IPVSClient().timeouts() != before {
            list.append(SysctlRestoration(command: "ipvsadm --set \(before.seconds)"))
        }
        return list
    }

    /// Puts back the settings that were changed.
    ///
    /// - Returns: what could not be put back.
    public static func restoreSettings(stateDirectory: String) throws(DataplaneError) -> [DataplaneError] {
        try SysctlRecord(directory: stateDirectory).restore() + TimeoutRecord(directory: stateDirectory).restore()
    }
}
