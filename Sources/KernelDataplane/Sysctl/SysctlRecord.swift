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
