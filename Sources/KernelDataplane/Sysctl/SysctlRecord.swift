internal import SystemPackage
internal import Text

/// What settings were before this program changed them, kept where `cleanup` finds it.
///
/// A file in the form of sysctl.conf, so that a person can read it and `sysctl -p` can use it.
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

    /// Notes a value, unless one is noted already: what a run before this one found is what was there first.
    func note(_ sysctl: Sysctl, value: String) throws(DataplaneError) {
        guard try !values().contains(where: { $0.name == sysctl.name }) else { return }
        do {
            try TextFile.write("\(sysctl.name) = \(value)\n", to: path, options: [.create, .append])
        } catch {
            throw DataplaneError("\(path)", error, what: "failed to write")
        }
    }

    /// Puts every noted value back and forgets them.
    ///
    /// - Returns: what could not be put back.
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
        if failures.isEmpty { try forget() }
        return failures
    }

    private func forget() throws(DataplaneError) {
        guard try !values().isEmpty else { return }
        do {
            try TextFile.write("", to: path, options: [.truncate])
        } catch {
            throw DataplaneError("\(path)", error, what: "failed to truncate")
        }
    }
}

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
    private var reported: [Sysctl: Finding] = [:]

    init(_ settings: [KernelSetting]) { self.settings = settings }

    /// Looks at every setting, and puts back what Services need. What they were is not noted anew: the record holds what they were before this program came.
    mutating func look(at store: some SysctlStore) -> [Finding] {
        settings.compactMap { setting in
            let finding = SettingsAudit.finding(setting, store)
            defer { reported[setting.sysctl] = finding }
            if case .putBack? = finding { return finding }
            return finding == reported[setting.sysctl] ? nil : finding
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
