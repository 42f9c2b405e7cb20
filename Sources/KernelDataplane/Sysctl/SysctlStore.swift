internal import Glibc
internal import SystemPackage

/// Where settings of the kernel are read, written and noted.
protocol SysctlStore {
    /// Nil where this kernel does not have it.
    func read(_ sysctl: Sysctl) throws(DataplaneError) -> String?
    func write(_ sysctl: Sysctl, _ value: String) throws(DataplaneError)
    /// Remembers what a setting was before it is changed.
    func note(_ sysctl: Sysctl, was value: String) throws(DataplaneError)
}

extension SysctlStore {
    /// Gives every setting its value, writing only what differs.
    ///
    /// - Parameter tell: what was changed, and what could not be where that is no failure.
    func apply(_ settings: [KernelSetting], tell: (SettingOutcome) -> Void) throws(DataplaneError) {
        for setting in settings {
            do throws(DataplaneError) {
                guard let current = try read(setting.sysctl) else {
                    guard setting.need != .required else {
                        throw DataplaneError("sysctl \(setting.sysctl.name)", "this kernel does not have it")
                    }
                    tell(.missing(setting.sysctl))
                    continue
                }
                guard !setting.isSatisfied(by: current) else { continue }
                try note(setting.sysctl, was: current)
                try write(setting.sysctl, setting.value)
                tell(.changed(setting.sysctl, from: current, to: setting.value))
            } catch {
                guard setting.need == .ifPossible else { throw error }
                tell(.refused(error))
            }
        }
    }
}

/// What came of a setting that was not as it should be.
enum SettingOutcome: Hashable {
    case changed(Sysctl, from: String, to: String)
    case missing(Sysctl)
    case refused(DataplaneError)
}

/// The kernel's own, noted in the state directory.
struct KernelSysctls: SysctlStore {
    let stateDirectory: String

    func read(_ sysctl: Sysctl) throws(DataplaneError) -> String? { try sysctl.read() }

    func write(_ sysctl: Sysctl, _ value: String) throws(DataplaneError) { try sysctl.write(value) }

    func note(_ sysctl: Sysctl, was value: String) throws(DataplaneError) {
        guard unsafe mkdir(stateDirectory, 0o755) == 0 || errno == EEXIST else {
            throw DataplaneError("mkdir \(stateDirectory)", Errno(rawValue: errno), advice: "choose another place with --state-directory")
        }
        try SysctlRecord(directory: stateDirectory).note(sysctl, value: value)
    }
}
