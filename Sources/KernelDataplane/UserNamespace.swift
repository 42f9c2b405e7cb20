internal import SystemPackage

/// The user namespace of this process.
enum UserNamespace {
    /// Whether it is the one of the host.
    static var isInitial: Bool {
        do {
            return try TextFile.read("/proc/self/uid_map").map(isInitial(uidMap:)) ?? true
        } catch {
            // Unreadable, so nothing is known: the usual case applies.
            return true
        }
    }

    /// Only the initial namespace maps all 2³² − 1 user IDs to themselves (kernel/user.c `init_user_ns`).
    static func isInitial(uidMap: String) -> Bool { uidMap.split(whereSeparator: \.isWhitespace) == ["0", "0", "4294967295"] }

    static let advice =
        "this process is in a user namespace, where the kernel does not permit it: run it in the user namespace of the host, not in a rootless container, and in a pod with hostUsers: true"
}
