import Glibc
import StatusAPI
import Testing

@testable import NamespaceLock

@Suite struct `A network namespace` {
    private let name = "kube-ipvs-proxy-test-\(UInt64.random(in: 0...UInt64.max))"
    private let first = InstanceDescription(pid: 1, host: "node1", pod: "first", version: "0.1.0", command: "kube-ipvs-proxy run")

    private func claim(_ description: InstanceDescription? = nil) async -> NamespaceLock.Claim {
        await NamespaceLock.claim(as: description ?? first, name: name)
    }

    private func hold() async throws -> HeldNamespace {
        guard case .held(let held) = await claim() else { throw Taken() }
        return held
    }

    private func holder() async throws -> NamespaceHolder {
        guard case .other(let holder) = await claim() else { throw Taken() }
        return holder
    }

    private struct Taken: Error {}

    @Test func `is held by one instance, which describes itself to the others`() async throws {
        let held = try await hold()
        for _ in 0..<3 {
            let holder = try await holder()
            #expect(holder.description.pod == "first" && holder.description.command == "kube-ipvs-proxy run")
            #expect(holder.description.pid == Int(getpid()), "from the kernel")
        }
        held.release()
        try await hold().release()
    }

    @Test func `tells those that wait when its holder ends, and one of them holds it next`() async throws {
        let held = try await hold()
        let holders = [try await holder(), try await holder(), try await holder()]
        let ends = holders.map { holder in Task { try await holder.end() } }
        held.release()
        for end in ends { try await end.value }
        let claims = [await claim(), await claim()]
        guard case .held(let next) = claims[0], case .other(let holder) = claims[1] else {
            Issue.record("\(claims)")
            return
        }
        let end = Task { try await holder.end() }
        end.cancel()
        await #expect(throws: CancellationError.self) { try await end.value }
        next.release()
    }

    @Test func `stays held by a process that does not answer, whose pid is known`() async throws {
        let socket = try UnixSocket()
        try socket.listen(name, backlog: 4)
        let holder = try await holder()
        #expect(holder.description == InstanceDescription(pid: Int(getpid())))
        _ = consume socket
        try await holder.end()
        try await hold().release()
    }

    @Test(arguments: [String(repeating: "x", count: 1 << 16), "{}\n", "\n", "{\"pid\":1"])
    func `is not confused by what a holder sends`(text: String) async throws {
        let listener = try UnixSocket()
        try listener.listen(name, backlog: 4)
        let descriptor = listener.descriptor
        let sender = Task.detached {
            let connection = accept(descriptor, nil, nil)
            _ = Array(text.utf8).withUnsafeBytes { send(connection, $0.baseAddress, $0.count, Int32(MSG_NOSIGNAL)) }
            close(connection)
        }
        let holder = try await holder()
        #expect(holder.description == InstanceDescription(pid: Int(getpid())))
        await sender.value
        _ = consume listener
    }

    @Test func `that a process names without listening does not stop an instance`() async throws {
        let socket = try UnixSocket()
        try socket.bind(name)
        guard case .untrusted(pid: 0, user: nil) = await claim() else { throw Taken() }
        _ = consume socket
    }

    @Test func `is not inherited by programs that its holder starts`() async throws {
        let held = try await hold()
        _ = try await holder()
        var child: pid_t = 0
        var arguments: [UnsafeMutablePointer<CChar>?] = [strdup("sleep"), strdup("60"), nil]
        #expect(posix_spawnp(&child, "sleep", nil, nil, &arguments, nil) == 0)
        arguments.forEach { free($0) }
        held.release()
        try await hold().release()
        kill(child, SIGKILL)
        waitpid(child, nil, 0)
    }
}
