import KernelTestSupport

/// The kernel modules of a user-space kernel, which scenarios may remove.
enum Modules {
    /// Whether modules are loadable, and removing them affects no one else: never on this machine's own kernel.
    static var areRemovable: Bool {
        guard let processor = try? String(ofFile: "/proc/cpuinfo"), let modules = try? String(ofFile: "/proc/modules") else { return false }
        return processor.contains("User Mode Linux") && modules.split(separator: "\n").contains { $0.hasPrefix("ip_vs ") }
    }

    /// Makes a module unavailable for the kernel and for modprobe, as hardening guides do, and removes it with the modules that use it.
    static func hide(_ module: String) async throws {
        try await Shell.output("mkdir -p /run/modprobe.d; echo 'install \(module) /bin/false' >/run/modprobe.d/\(hidden)\(module).conf")
        try await remove(module)
    }

    /// Removes a module with the modules that use it. The kernel loads it when it is needed.
    static func remove(_ module: String) async throws {
        // name size count users, …
        let line = try String(ofFile: "/proc/modules").split(separator: "\n").first { $0.hasPrefix("\(module) ") }
        guard let columns = line?.split(separator: " "), columns.count > 3 else { return }
        let users = columns[3].split(separator: ",").filter { $0 != "-" && !$0.hasPrefix("[") }
        try await Shell.output("rmmod \((users + [module[...]]).joined(separator: " "))")
    }

    /// Makes all modules available again; the kernel loads them when they are needed. Each scenario begins with this.
    static func restore() async throws { try await Shell.output(restoring) }

    static let restoring = "rm -f /run/modprobe.d/\(hidden)*"

    private static let hidden = "hidden-"
}
