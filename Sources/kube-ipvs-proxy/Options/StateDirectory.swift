internal import ArgumentParser
internal import FoundationEssentials
internal import Glibc
internal import KubeProxyConfiguration
internal import StatusServer
internal import StatusAPI

/// The state directory of the running proxy: the given one, else the default, else that of the only proxy that listens in another one.
struct StateDirectory: ParsableArguments {
    @Option(
        name: .customLong("state-directory"),
        help: ArgumentHelp(
            "State directory of the running proxy. Default: \(FlagValues().stateDirectory), or that of the only running proxy.",
            valueName: "directory"))
    var given: String?

    /// Searches for running proxies unless the directory was given.
    func find() throws -> String {
        if let given { return given }
        return try StateDirectory.choose(usual: FlagValues().stateDirectory, listening: StateDirectory.listening())
    }

    /// Several proxies run, none of them with the default directory.
    struct Ambiguous: Error, CustomStringConvertible {
        var directories: [String]
        var description: String {
            "several proxies are running on this node: set --state-directory to \(directories.dropLast().joined(separator: ", ")) or \(directories.last ?? "")"
        }
    }

    static func choose(usual: String, listening: [String]) throws(Ambiguous) -> String {
        guard let first = listening.first, !listening.contains(usual) else { return usual }
        guard listening.count == 1 else { throw Ambiguous(directories: listening) }
        return first
    }

    // MARK: Running proxies

    /// The state directories of the proxies in this network namespace, sorted, without those that users other than root could have created.
    static func listening() -> [String] {
        // Without /proc, only the default directory is known.
        guard let table = try? String(contentsOfFile: "/proc/net/unix", encoding: .isoLatin1) else { return [] }
        return directories(in: table).filter { isOwnedByRootOnly("\($0)/\(ProxyReport.socketName)") }
    }

    /// The directories of listening sockets with the name of the status socket.
    ///
    /// - Parameter table: `/proc/net/unix`: number, references, protocol, flags, type, state, inode and path (net/unix/af_unix.c
    ///   `unix_seq_show`).
    static func directories(in table: String) -> [String] {
        let found = table.split(separator: "\n").dropFirst().compactMap { line -> String? in
            let columns = line.split(separator: " ", maxSplits: 7, omittingEmptySubsequences: true)
            // __SO_ACCEPTCON (linux/net.h): connections have the path of their listener, without this flag.
            guard columns.count == 8, let flags = UInt32(columns[3], radix: 16), flags & 0x10000 != 0 else { return nil }
            let path = String(columns[7])
            guard path.hasPrefix("/"), path.hasSuffix("/\(ProxyReport.socketName)") else { return nil }
            return String(path.dropLast(ProxyReport.socketName.count + 1))
        }
        return Set(found).sorted()
    }

    /// Whether root owns the socket, and other users cannot replace it or its directories.
    ///
    /// - Parameter user: another user ID that counts as root.
    static func isOwnedByRootOnly(_ path: String, user: UInt32 = 0) -> Bool {
        func status(of path: String) -> (mode: UInt32, isTrusted: Bool)? {
            var found = stat()
            guard unsafe lstat(path, &found) == 0 else { return nil }
            return (found.st_mode, found.st_uid == 0 || found.st_uid == user)
        }
        guard let socket = status(of: path), socket.isTrusted, socket.mode & S_IFMT == S_IFSOCK,
            let real = unsafe realpath(path, nil)
        else { return false }
        defer { unsafe free(real) }
        var folder = unsafe String(cString: real)
        while folder.count > 1, let slash = folder.lastIndex(of: "/") {
            folder = slash == folder.startIndex ? "/" : String(folder[..<slash])
            guard let place = status(of: folder), place.isTrusted else { return false }
            // In a sticky directory such as /tmp, everyone may write, but not rename the files of others.
            if place.mode & (S_IWGRP | S_IWOTH) != 0, place.mode & S_ISVTX == 0 { return false }
        }
        return true
    }
}
