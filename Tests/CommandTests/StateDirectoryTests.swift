import FoundationEssentials
import Glibc
import Testing

@testable import kube_ipvs_proxy

@Suite struct `The state directory of a running proxy` {
    @Test(
        arguments: [
            ([], "/run/p"), (["/run/p"], "/run/p"), (["/run/p", "/tmp/x"], "/run/p"), (["/tmp/x"], "/tmp/x"),
        ] as [([String], String)])
    func `is the default, or that of the only proxy that uses another one`(listening: [String], expected: String) throws {
        #expect(try StateDirectory.choose(usual: "/run/p", listening: listening) == expected)
    }

    @Test func `must be set if several proxies run with other directories`() {
        let error = #expect(throws: StateDirectory.Ambiguous.self) {
            try StateDirectory.choose(usual: "/run/p", listening: ["/a", "/b", "/c"])
        }
        #expect(error?.description == "several proxies are running on this node: set --state-directory to /a, /b or /c")
    }

    /// Uses `/proc/net/unix` as of Linux 6.1.
    @Test func `is found by the listening sockets`() {
        let table = """
            Num       RefCount Protocol Flags    Type St Inode Path
            00000000a4f2a9e1: 00000002 00000000 00010000 0001 01 17213 /run/b/status.sock
            00000000a4f2a9e2: 00000003 00000000 00000000 0001 03 17214 /run/b/status.sock
            00000000a4f2a9e3: 00000002 00000000 00000000 0001 01 17215 /run/not-listening/status.sock
            00000000a4f2a9e4: 00000002 00000000 00010000 0001 01 17216 /run/a folder/status.sock
            00000000a4f2a9e5: 00000002 00000000 00010000 0001 01 17217 @/abstract/status.sock
            00000000a4f2a9e6: 00000002 00000000 00010000 0001 01 17218 relative/status.sock
            00000000a4f2a9e7: 00000002 00000000 00010000 0001 01 17219 /run/other.sock
            00000000a4f2a9e8: 00000002 00000000 00010000 0001 01 17220
            00000000a4f2a9e9: 00000002 00000000 00010000 0001 01 17221 /run/mystatus.sock
            nonsense

            """
        #expect(StateDirectory.directories(in: table) == ["/run/a folder", "/run/b"])
        #expect(StateDirectory.directories(in: "").isEmpty)
    }

    private func listen(at path: String) -> Bool {
        let socket = socket(AF_UNIX, Int32(SOCK_STREAM.rawValue), 0)
        defer { close(socket) }
        var address = sockaddr_un()
        address.sun_family = sa_family_t(AF_UNIX)
        withUnsafeMutableBytes(of: &address.sun_path) { $0.copyBytes(from: path.utf8.prefix($0.count - 1)) }
        return withUnsafePointer(to: &address) {
            $0.withMemoryRebound(to: sockaddr.self, capacity: 1) { bind(socket, $0, socklen_t(MemoryLayout<sockaddr_un>.size)) == 0 }
        }
    }

    @Test func `is trusted only if no other user could have created the socket`() throws {
        let folder = "/tmp/kube-ipvs-proxy-\(UUID().uuidString.prefix(8))"
        try FileManager.default.createDirectory(atPath: "\(folder)/state", withIntermediateDirectories: true)
        // Leftover temporary files are harmless.
        defer { try? FileManager.default.removeItem(atPath: folder) }
        let path = "\(folder)/state/status.sock"
        let me = getuid()
        #expect(!StateDirectory.isOwnedByRootOnly(path, user: me))
        try #require(listen(at: path))
        #expect(StateDirectory.isOwnedByRootOnly(path, user: me))
        for (mode, isTrusted) in [(0o777, false), (0o775, false), (0o1777, true), (0o755, true)] as [(mode_t, Bool)] {
            for place in [folder, "\(folder)/state"] {
                #expect(chmod(place, mode) == 0)
                #expect(StateDirectory.isOwnedByRootOnly(path, user: me) == isTrusted, "\(place) \(String(mode, radix: 8))")
                #expect(chmod(place, 0o755) == 0)
            }
        }
        if me == 0 {
            for place in [folder, "\(folder)/state", path] {
                #expect(chown(place, 12345, 12345) == 0)
                #expect(!StateDirectory.isOwnedByRootOnly(path, user: me), "\(place)")
                #expect(chown(place, 0, 0) == 0)
            }
        } else {
            #expect(!StateDirectory.isOwnedByRootOnly(path))
        }
        #expect(symlink(path, "\(folder)/status.sock") == 0)
        #expect(!StateDirectory.isOwnedByRootOnly("\(folder)/status.sock", user: me))
        try "".write(toFile: "\(folder)/file", atomically: true, encoding: .utf8)
        #expect(!StateDirectory.isOwnedByRootOnly("\(folder)/file", user: me))
    }
}
