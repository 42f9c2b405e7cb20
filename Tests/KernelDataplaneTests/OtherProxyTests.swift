import FoundationEssentials
import Glibc
import Model
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

    func add(_ pid: Int, _ arguments: [String], network: String = "net:[1]", sockets: [Int] = [], comm: String = "a") throws {
        try FileManager.default.createDirectory(atPath: "\(path)/\(pid)/fd", withIntermediateDirectories: true)
        try FileManager.default.createDirectory(atPath: "\(path)/\(pid)/ns", withIntermediateDirectories: true)
        #expect(FileManager.default.createFile(atPath: "\(path)/\(pid)/cmdline", contents: Data(arguments.map { $0 + "\0" }.joined().utf8)))
        #expect(FileManager.default.createFile(atPath: "\(path)/\(pid)/comm", contents: Data("\(comm)\n".utf8)))
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
        (["/x/kube-ipvs-proxy"], false), (["kube-ipvs-proxy", "run", "--manifests", "m"], false),
        (["vi", "kube-proxy"], false), (["kube-proxy-metrics"], false),
    ])
    func `is kube-proxy, not another instance of this program`(arguments: [String], expected: Bool) {
        #expect(OtherProxies.isKubeProxy(arguments) == expected)
    }
}

@Suite struct `A running kube-proxy` {
    private func processes(_ make: (ProcFolder) throws -> Void, user: UInt32 = getuid()) throws -> [String] {
        let folder = try ProcFolder()
        try folder.add(100, ["/usr/local/bin/kube-ipvs-proxy"])
        try make(folder)
        defer { try? folder.remove() }
        return try RunningKubeProxy.processes(in: ProcessTable(folder: folder.path), besides: 100, user: user).map(\.description)
    }

    @Test func `has ended once another process has its pid, or another socket its port`() throws {
        let folder = try ProcFolder()
        defer { try? folder.remove() }
        let table = ProcessTable(folder: folder.path)
        try folder.add(17, ["/usr/bin/sleep"])
        try folder.add(18, ["kube-proxy"])
        folder.listen([6: 10249])
        func isRunning(_ proxy: RunningKubeProxy) -> Bool { proxy.isRunning(in: table) }
        #expect(isRunning(.process(pid: 18, commandLine: "kube-proxy")))
        #expect(!isRunning(.process(pid: 17, commandLine: "kube-proxy")) && !isRunning(.process(pid: 19, commandLine: "kube-proxy")))
        let address = AddressPort(IPAddress(v4: 0x7f00_0001), 10249)
        #expect(isRunning(.server(address, mode: "ipvs", inode: 6)))
        #expect(!isRunning(.server(address, mode: "ipvs", inode: 5)), "the metrics server of this program may listen by now")
    }

    @Test func `is found by name in the same network namespace`() throws {
        let found = try processes { folder in
            try folder.add(17, ["/usr/local/bin/kube-proxy", "--v=2"])
            try folder.add(18, ["kube-proxy"], network: "net:[2]")
            try folder.add(19, ["/usr/bin/kubelet"])
        }
        #expect(found == ["pid 17 (/usr/local/bin/kube-proxy --v=2)"])
    }

    @Test func `is none that this program runs under the name kube-proxy`() throws {
        #expect(try processes { try $0.add(17, ["/usr/local/bin/kube-proxy"], comm: "kube-ipvs-proxy") } == [])
        #expect(try processes { try $0.add(17, ["/usr/local/bin/kube-proxy"], comm: "kube-proxy") }.count == 1)
    }

    @Test(.enabled(if: getuid() == 0, "requires root, to change the owner of a file"))
    func `is one of root`() throws {
        let found = try processes { folder in
            try folder.add(17, ["kube-proxy"])
            #expect(chown("\(folder.path)/17", 1000, 1000) == 0)
        }
        #expect(found == [])
    }

    @Test(arguments: [
        ("0100007F:2809", "127.0.0.1"), ("00000000:2809", "127.0.0.1"), ("0200630A:2809", "10.99.0.2"),
        ("00000000000000000000000000000000:2809", "::1 127.0.0.1"), ("00000000000000000000000001000000:2809", "::1"),
    ])
    func `is asked for its mode where it listens`(local: String, expected: String) throws {
        let line = "0: \(local) 00000000:0000 0A 00000000:00000000 00:00000000 00000000 1000 0 55 1 0"
        let listener = try #require(ListeningSocket(line.split(separator: " ")))
        #expect(listener.user == 1000 && listener.inode == 55)
        #expect(listener.destinations.map(\.description).joined(separator: " ") == expected)
    }

    @Test(
        arguments: [
            ("HTTP/1.0 200 OK\r\nA: b\r\n\r\niptables", "iptables"), ("HTTP/1.1 200 OK\r\n\r\nipvs\n", "ipvs"),
            ("HTTP/1.1 404 Not Found\r\n\r\nipvs", nil), ("SSH-2.0", nil), ("HTTP/1.1 200 OK\r\n", nil), ("", nil),
        ] as [(String, String?)])
    func `answers with its mode`(answer: String, body: String?) { #expect(TCPClient.body(of: Array(answer.utf8)) == body) }
}
