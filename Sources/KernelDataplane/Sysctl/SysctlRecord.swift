internal import SystemPackage
internal import Text

/// The values of settings before this program changed them, saved for `cleanup`.
///
/// The file has the format of sysctl.conf, so that `sysctl -p` can load it.
struct SysctlRecord {
    let path: FilePath

    init(directory: String) { path = FilePath(directory).appending("sysctls-before.conf") }

    func values() throws(DataplaneError) -> [(name: String, value: String)] {
        let text: String?
        do {
            text = try TextFile.read(path)
        } catch {
            throw DataplaneError("\(path)", error, what: "failed to read")
        }
        return (text ?? "").split(separator: "\n").compactMap { line in
            let parts = line.split(separator: "=", maxSplits: 1).map { $0.filter { !$0.isWhitespace || $0 == " " }.trimmed }
            guard parts.count == 2, !line.hasPrefix("#") else { return nil }
            return (name: parts[0], value: parts[1])
        }
    }

    /// Records a value, unless an earlier run recorded one: that is the original value.
    func note(_ sysctl: Sysctl, value: String) throws(DataplaneError) {
        guard try !values().contains(where: { $0.name == sysctl.name }) else { return }
        do {
            try TextFile.write("\(sysctl.name) = \(value)\n", to: path, options: [.create, .append])
        } catch {
            throw DataplaneError("\(path)", error, what: "failed to write")
        }
    }

    /// Restores every recorded value and clears the record.
    ///
    /// - Returns: the errors of settings that could not be restored.
    func restore() throws(DataplaneError) -> [DataplaneError] {
        var failures: [DataplaneError] = []
        for (name, value) in try values() {
            do throws(DataplaneError) {
                let sysctl = Sysctl(name)
                if let current = try sysctl.read(), current != value { try sysctl.write(value) }
            } catch {
                failures.append(error)
            }
        }
        if failures.isEmpty { try clear() }
        return failures
    }

    private func clear() throws(DataplaneError) {
        guard try !values().isEmpty else { return }
        do {
            try TextFile.write("", to: path, options: [.truncate])
        } catch {
            throw DataplaneError("\(path)", error, what: "failed to truncate")
        }
    }
}

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
