internal import Glibc
internal import SystemCalls
internal import SystemPackage

/// A kernel setting in `/proc/sys`.
struct Sysctl: Hashable {
    /// The name for `sysctl`, such as `net.ipv4.vs.conntrack`.
    let name: String

    init(_ name: String) { self.name = name }

    private var path: FilePath { FilePath("/proc/sys/" + String(name.map { $0 == "." ? "/" : $0 })) }

    /// Nil if the kernel does not have it.
    func read() throws(DataplaneError) -> String? {
        do {
            return try TextFile.read(path)?.split(whereSeparator: \.isWhitespace).joined(separator: " ")
        } catch {
            throw DataplaneError("sysctl \(name)", error, what: "failed to read")
        }
    }

    func write(_ value: String) throws(DataplaneError) {
        do {
            try TextFile.write(value, to: path, options: [])
        } catch {
            throw DataplaneError(
                "sysctl -w \(name)=\(value)", error, advice: Sysctl.advice(error))
        }
    }

    /// What to do if the kernel refuses to write a setting.
    static func advice(_ errno: Errno) -> String {
        let onNode = "set it on the node in /etc/sysctl.d"
        return switch errno {
        case .readOnlyFileSystem: "/proc/sys is read-only: \(onNode), or run the container privileged"
        // Some settings belong to the network namespace of the host only.
        case .permissionDenied, .notPermitted: "only root in the network namespace of the host may change it: \(onNode)"
        default: onNode
        }
    }
}

/// Reads and writes small text files.
enum TextFile {
    /// Nil if the file does not exist.
    ///
    /// - Parameter limit: in bytes; may be exceeded by less than one read.
    static func read(_ path: FilePath, limit: Int = .max) throws(Errno) -> String? {
        do {
            return String(decoding: try SmallFile.readBeginning(of: path.string, limit: limit), as: UTF8.self)
        } catch {
            if error.errno == .noSuchFileOrDirectory { return nil }
            throw error.errno ?? .ioError
        }
    }

    static func write(_ text: String, to path: FilePath, options: FileDescriptor.OpenOptions) throws(Errno) {
        do {
            let file = try FileDescriptor.open(path, .writeOnly, options: options, permissions: [.ownerReadWrite])
            try file.closeAfter { _ = try file.writeAll(text.utf8) }
        } catch let error as Errno {
            throw error
        } catch {
            throw Errno.ioError
        }
    }
}

/// Reads, writes and records kernel settings.
protocol SysctlStore {
    /// Nil if the kernel does not have it.
    func read(_ sysctl: Sysctl) throws(DataplaneError) -> String?
    func write(_ sysctl: Sysctl, _ value: String) throws(DataplaneError)
    /// Records the value of a setting before it is changed.
    func note(_ sysctl: Sysctl, was value: String) throws(DataplaneError)
}

extension SysctlStore {
    /// Sets every setting that differs.
    ///
    /// - Parameter report: called for each changed setting, and for each that could not be changed if that is no failure.
    func apply(_ settings: [KernelSetting], report: (SettingOutcome) -> Void) throws(DataplaneError) {
        for setting in settings {
            do throws(DataplaneError) {
                guard let current = try read(setting.sysctl) else {
                    guard setting.need != .required else {
                        throw DataplaneError(
                            "sysctl \(setting.sysctl.name)", "not in /proc/sys: the kernel lacks it, or hides it in this namespace")
                    }
                    report(.missing(setting.sysctl))
                    continue
                }
                guard !setting.isSatisfied(by: current) else { continue }
                try note(setting.sysctl, was: current)
                try write(setting.sysctl, setting.value)
                report(.changed(setting.sysctl, from: current, to: setting.value))
            } catch {
                guard setting.need == .ifPossible else { throw error }
                report(.refused(error))
            }
        }
    }
}

/// The outcome for a setting that differed.
enum SettingOutcome: Hashable {
    case changed(Sysctl, from: String, to: String)
    case missing(Sysctl)
    case refused(DataplaneError)
}

/// The settings of the running kernel, recorded in the state directory.
struct KernelSysctls: SysctlStore {
    let stateDirectory: String

    func read(_ sysctl: Sysctl) throws(DataplaneError) -> String? { try sysctl.read() }

    func write(_ sysctl: Sysctl, _ value: String) throws(DataplaneError) { try sysctl.write(value) }

    func note(_ sysctl: Sysctl, was value: String) throws(DataplaneError) {
        guard unsafe mkdir(stateDirectory, 0o755) == 0 || errno == EEXIST else {
            throw DataplaneError(
                "mkdir \(stateDirectory)", Errno(rawValue: errno), advice: "choose another directory with --state-directory")
        }
        try SysctlRecord(directory: stateDirectory).note(sysctl, value: value)
    }
}
