/// Detects external changes of settings while the program runs.
struct SettingsAudit {
    enum Finding: Hashable {
        /// Services require it, and it was repaired.
        case repaired(Sysctl, from: String, to: String)
        /// The operator has to decide; reported once for each value.
        case changed(Sysctl, to: String, wanted: String)
        /// Reading or repairing it failed; reported once for each reason.
        case failed(DataplaneError)
    }

    private let settings: [KernelSetting]
    /// The last finding for each setting that differs.
    private var reported: [Sysctl: Finding] = [:]

    init(_ settings: [KernelSetting]) { self.settings = settings }

    /// Checks every setting, and repairs those that Services require. Does not record the values found: they are not the original ones.
    mutating func check(_ store: some SysctlStore) -> [Finding] {
        settings.compactMap { setting in
            let finding = SettingsAudit.finding(setting, store)
            defer { reported[setting.sysctl] = finding }
            if case .repaired? = finding { return finding }
            return finding == reported[setting.sysctl] ? nil : finding
        }
    }

    private static func finding(_ setting: KernelSetting, _ store: some SysctlStore) -> Finding? {
        do throws(DataplaneError) {
            // A missing setting was logged at startup.
            guard let current = try store.read(setting.sysctl), !setting.isSatisfied(by: current) else { return nil }
            guard setting.need != .ifPossible else { return .changed(setting.sysctl, to: current, wanted: setting.value) }
            try store.write(setting.sysctl, setting.value)
            return .repaired(setting.sysctl, from: current, to: setting.value)
        } catch {
            return .failed(error)
        }
    }
}
