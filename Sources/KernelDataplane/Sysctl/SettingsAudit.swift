/// Notices that others change settings while the program runs.
struct SettingsAudit {
    enum Finding: Hashable {
        /// Services need it, and it has its value again.
        case putBack(Sysctl, from: String, to: String)
        /// It is for the operator to say who is right; told once for each value.
        case changed(Sysctl, to: String, wanted: String)
        /// It could not be read or put back; told once for each reason.
        case failed(DataplaneError)
    }

    private let settings: [KernelSetting]
    /// What was told of those that are not as they should be.
    private var told: [Sysctl: Finding] = [:]

    init(_ settings: [KernelSetting]) { self.settings = settings }

    /// Looks at every setting, and puts back what Services need. What they were is not noted anew: the record holds what they were before this program came.
    mutating func look(at store: some SysctlStore) -> [Finding] {
        settings.compactMap { setting in
            let finding = SettingsAudit.finding(setting, store)
            defer { told[setting.sysctl] = finding }
            if case .putBack? = finding { return finding }
            return finding == told[setting.sysctl] ? nil : finding
        }
    }

    private static func finding(_ setting: KernelSetting, _ store: some SysctlStore) -> Finding? {
        do throws(DataplaneError) {
            // One that the kernel lacks was told at the start.
            guard let current = try store.read(setting.sysctl), !setting.isSatisfied(by: current) else { return nil }
            guard setting.need != .ifPossible else { return .changed(setting.sysctl, to: current, wanted: setting.value) }
            try store.write(setting.sysctl, setting.value)
            return .putBack(setting.sysctl, from: current, to: setting.value)
        } catch {
            return .failed(error)
        }
    }
}
