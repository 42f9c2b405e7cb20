import FoundationEssentials
import Testing

@testable import KernelDataplane

/// A folder with the structure of `/proc`.
private struct ProcFolder {
    let path: String

    init() throws {
        path = FileManager.default.temporaryDirectory.path + "/proc-\(UInt64.random(in: 0...UInt64.max))"
        try FileManager.default.createDirectory(atPath: "\(path)/self/net", withIntermediateDirectories: true)
        listen([:])
    }

    func add(_ pid: Int, _ arguments: [String], network: String = "net:[1]", sockets: [Int] = []) throws {
        try FileManager.default.createDirectory(atPath: "\(path)/\(pid)/fd", withIntermediateDirectories: true)
        try FileManager.default.createDirectory(atPath: "\(path)/\(pid)/ns", withIntermediateDirectories: true)
        #expect(FileManager.default.createFile(atPath: "\(path)/\(pid)/cmdline", contents: Data(arguments.map { $0 + "\0" }.joined().utf8)))
        try FileManager.default.createSymbolicLink(atPath: "\(path)/\(pid)/ns/net", withDestinationPath: network)
        try FileManager.default.createSymbolicLink(atPath: "\(path)/\(pid)/fd/0", withDestinationPath: "/dev/null")
        for (number, socket) in sockets.enumerated() {
            try FileManager.default.createSymbolicLink(atPath: "\(path)/\(pid)/fd/\(number + 3)", withDestinationPath: "socket:[\(socket)]")
        }
    }

    /// Writes listening sockets (port by inode), followed by an established connection.
    func listen(_ ports: [Int: UInt16]) {
        var text = "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode\n"
        for (inode, port) in ports {
            let hex = String(port, radix: 16, uppercase: true)
            text +=
                "   0: 00000000000000000000000000000000:\(hex) 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 \(inode) 1 0\n"
        }
        text += "   9: 0100007F:2809 0100007F:D431 01 00000000:00000000 00:00000000 00000000     0        0 99 1 0\n"
        #expect(FileManager.default.createFile(atPath: "\(path)/self/net/tcp6", contents: Data(text.utf8)))
    }

    func remove() throws { try FileManager.default.removeItem(atPath: path) }
}

@Suite struct `Another node proxy` {
    private func found(_ make: (ProcFolder) throws -> Void) throws -> OtherProxies {
        let folder = try ProcFolder()
        try folder.add(100, ["/usr/local/bin/kube-ipvs-proxy", "--v", "2"], sockets: [7])
        try folder.add(101, ["/usr/bin/kubelet", "--config=kube-proxy"])
        try make(folder)
        let found = try OtherProxies.find(in: folder.path, besides: 100)
        try folder.remove()
        return found
    }

    @Test func `is found by name in the same network namespace, with its ports`() throws {
        let others = try found { folder in
            try folder.add(17, ["/usr/local/bin/kube-proxy", "--config=/var/lib/kube-proxy/config.conf"], sockets: [5, 6])
            try folder.add(18, ["kube-proxy"], network: "net:[2]")
            folder.listen([5: 10249, 6: 10256, 8: 22])
        }
        #expect(
            others.processes == [
                .init(pid: 17, commandLine: "/usr/local/bin/kube-proxy --config=/var/lib/kube-proxy/config.conf", ports: [10249, 10256])
            ])
        #expect(others.portsOfOthers.isEmpty)
    }

    @Test func `whose process is not visible is detected by its ports, not by this program's own`() throws {
        #expect(try found { $0.listen([7: 10256, 9: 10249]) }.portsOfOthers == [10249])
        #expect(try found { $0.listen([7: 10256]) }.isEmpty)
        #expect(try found { _ in }.isEmpty)
    }

    @Test(arguments: [
        (["/kube-proxy"], true), (["/opt/hyperkube", "kube-proxy"], true), (["/opt/hyperkube", "kubelet"], false),
        (["/x/kube-ipvs-proxy"], true),
        (["kube-ipvs-proxy", "run", "--manifests", "m"], true), (["kube-ipvs-proxy", "plan"], false),
        (["kube-ipvs-proxy", "--once"], false),
        (["vi", "kube-proxy"], false), (["kube-proxy-metrics"], false),
    ])
    func `is a program that syncs the kernel continuously`(arguments: [String], expected: Bool) {
        #expect(OtherProxies.isNodeProxy(arguments) == expected)
    }
}
