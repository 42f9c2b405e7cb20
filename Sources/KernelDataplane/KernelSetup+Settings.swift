internal import Glibc
public import Logging

/// Applying, auditing and restoring kernel settings.
extension KernelSetup {
    func applySettings(_ logger: Logger) throws(DataplaneError) {
        try KernelSysctls(stateDirectory: stateDirectory).apply(settings()) { outcome in
            switch outcome {
            case .changed(let sysctl, let before, let now):
                logger.info(
                    "Changed kernel setting", metadata: ["sysctl": "\(sysctl.name)", "before": "\(before)", "now": "\(now)"])
            case .missing(let sysctl):
                logger.warning(
                    "Kernel setting not in /proc/sys: the kernel lacks it, or hides it in this namespace",
                    metadata: ["sysctl": "\(sysctl.name)"])
            case .refused(let error): logger.warning("Failed to change kernel setting", metadata: ["error": "\(error)"])
            }
        }
    }

    private func settings() -> [KernelSetting] {
        KernelSetting.ipvs(strictARP: strictARP)
            + KernelSetting.conntrack(conntrack, processors: Int(sysconf(Int32(_SC_NPROCESSORS_ONLN))))
    }

    /// If the kernel refuses the timeouts, it keeps its own: the error is logged, and everything else works.
    func setTimeouts(_ logger: Logger) throws(DataplaneError) {
        let ipvs = try IPVSClient()
        let before = try ipvs.timeouts()
        guard timeouts.differs(from: before) else { return }
        try TimeoutRecord(directory: stateDirectory).save(before)
        if let failure = try ipvs.setTimeouts(timeouts) {
            guard !failure.isTemporary else { throw failure }
            logger.error("Failed to set IPVS timeouts", metadata: ["error": "\(failure)"])
        }
    }

    /// Audits the settings periodically until the task is cancelled: repairs those that Services require, and logs all external changes.
    public func auditSettings(every interval: Duration, _ logger: Logger) async throws {
        let sysctls = KernelSysctls(stateDirectory: stateDirectory)
        var audit = SettingsAudit(settings())
        var timeoutAudit = TimeoutAudit(wanted: timeouts)
        // Failures at startup have been logged.
        _ = audit.check(sysctls)
        // If this fails, the first audit reports the error.
        if let atStart = try? IPVSClient().timeouts() { _ = timeoutAudit.check(atStart) }
        while !Task.isCancelled {
            try await Task.sleep(for: interval)
            for finding in audit.check(sysctls) { report(finding, logger) }
            auditTimeouts(&timeoutAudit, logger)
        }
    }

    private func auditTimeouts(_ audit: inout TimeoutAudit, _ logger: Logger) {
        do throws(DataplaneError) {
            guard let found = audit.check(try IPVSClient().timeouts()) else { return }
            logger.warning(
                "IPVS timeouts changed externally; run ipvsadm --set or restart the proxy to restore them",
                metadata: ["now": "\(found.seconds)", "wanted": "\(timeouts.seconds)"])
        } catch {
            logger.error("Failed to read IPVS timeouts", metadata: ["error": "\(error)"])
        }
    }

    private func report(_ finding: SettingsAudit.Finding, _ logger: Logger) {
        switch finding {
        case .repaired(let sysctl, let found, let wanted):
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

    /// The restoration of a setting to its value before this program changed it.
    public struct SysctlRestoration: Hashable, Sendable {
        /// The equivalent command, for display.
        public var command: String
    }

    /// The settings that `restoreSettings` would change.
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

    /// Restores the settings that were changed.
    ///
    /// - Returns: the errors of settings that could not be restored.
    public static func restoreSettings(stateDirectory: String) throws(DataplaneError) -> [DataplaneError] {
        try SysctlRecord(directory: stateDirectory).restore() + TimeoutRecord(directory: stateDirectory).restore()
    }
}
