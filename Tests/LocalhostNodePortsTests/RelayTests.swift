import Model
import NIOCore
import Synchronization
import Testing

@testable import LocalhostNodePorts

private let loopback = IPAddress(v4: 0x7f00_0001)

/// Runs `body` with the port of a relay to `backend`.
private func withRelay(to backend: UInt16?, limit: Int = 100, _ body: (UInt16) async throws -> Void) async throws {
    let listener = try await NodePortListener(port: 0, limit: ConnectionLimit(limit, logger: silent), logger: silent) {
        backend.map { AddressPort(loopback, $0) }
    }
    do {
        try await body(listener.port)
    } catch {
        await listener.close()
        throw error
    }
    await listener.close()
}

@Suite(.timeLimit(.minutes(10))) struct `The relay` {
    @Test func `forwards data in both directions and closes each direction separately`() async throws {
        let size = 4 << 20
        try await withBackend { inbound, outbound in
            // Sends a greeting first, as a mail server does; answers only after the client has closed its side.
            try await outbound.write(ByteBuffer(string: "welcome"))
            var count = 0
            for try await part in inbound { count += part.readableBytes }
            try await outbound.write(ByteBuffer(string: " \(count) "))
            try await outbound.write(ByteBuffer(repeating: 0x78, count: size))
        } _: { backend in
            try await withRelay(to: backend) { port in
                let answer = try await withClient(of: port) { inbound, outbound in
                    for _ in 0..<4 { try await outbound.write(ByteBuffer(repeating: 0x2e, count: size / 4)) }
                    outbound.finish()
                    var answer = ByteBuffer()
                    for try await part in inbound { answer.writeImmutableBuffer(part) }
                    return answer
                }
                let greeting = "welcome \(size) "
                #expect(answer.getString(at: 0, length: greeting.utf8.count) == greeting)
                #expect(answer.readableBytes == greeting.utf8.count + size)
            }
        }
    }

    @Test func `lets the client continue sending after the backend has closed its side`() async throws {
        let received = Mutex("")
        try await withBackend { inbound, outbound in
            outbound.finish()
            for try await part in inbound { received.withLock { $0 += String(buffer: part) } }
        } _: { backend in
            try await withRelay(to: backend) { port in
                try await withClient(of: port) { inbound, outbound in
                    for try await _ in inbound { Issue.record("nothing was sent") }
                    try await outbound.write(ByteBuffer(string: "still here"))
                    outbound.finish()
                    #expect(try await becomesTrue { received.withLock { $0 } == "still here" })
                }
            }
        }
    }

    @Test func `reads no more from one side than the other side accepts`() async throws {
        let (chunk, chunks) = (1 << 20, 96)
        let sent = Atomic(0)
        try await withBackend { _, outbound in
            for _ in 0..<chunks {
                try await outbound.write(ByteBuffer(repeating: 0x78, count: chunk))
                sent.add(1, ordering: .relaxed)
            }
        } _: { backend in
            try await withRelay(to: backend) { port in
                let received = try await withClient(of: port) { inbound, _ in
                    var count = 0
                    var parts = inbound.makeAsyncIterator()
                    // Until the backend is blocked or has sent everything.
                    var before = -1
                    while before != sent.load(ordering: .relaxed) {
                        before = sent.load(ordering: .relaxed)
                        try await Task.sleep(for: .milliseconds(500))
                    }
                    #expect(before < chunks / 2, "the buffers of four sockets hold only a part")
                    while let part = try await parts.next() { count += part.readableBytes }
                    return count
                }
                #expect(received == chunk * chunks)
            }
        }
    }

    @Test func `breaks the connection if the backend refuses or breaks its own, or no longer exists`() async throws {
        var refusing: UInt16 = 0
        try await withBackend { _, _ in
        } _: {
            refusing = $0
        }
        try await withRelay(to: refusing) { #expect(await answer($0) == nil) }
        try await withRelay(to: nil) { #expect(await answer($0) == nil) }

        try await withBackend { inbound, _ in
            for try await _ in inbound { throw CancellationError() }
        } _: { backend in
            try await withRelay(to: backend) { port in
                try await withClient(of: port) { inbound, outbound in
                    try await outbound.write(ByteBuffer(string: "hello"))
                    await #expect(throws: (any Error).self) {
                        for try await _ in inbound {}
                        // If everything was read, the end is not an error, but writing fails.
                        while true {
                            try await outbound.write(ByteBuffer(string: "more"))
                            try await Task.sleep(for: .milliseconds(20))
                        }
                    }
                }
            }
        }
    }

    @Test func `closes the backend connection when a client disconnects`() async throws {
        let ended = Atomic(false)
        try await withBackend { inbound, outbound in
            defer { ended.store(true, ordering: .relaxed) }
            try await outbound.write(ByteBuffer(string: "welcome"))
            for try await _ in inbound {}
        } _: { backend in
            try await withRelay(to: backend) { port in
                try await withClient(of: port) { inbound, _ in for try await _ in inbound { break } }
                #expect(try await becomesTrue { ended.load(ordering: .relaxed) })
            }
        }
    }

    @Test func `refuses connections above its limit, and accepts new ones when others end`() async throws {
        try await withBackend { inbound, outbound in
            for try await part in inbound { try await outbound.write(part) }
        } _: { backend in
            try await withRelay(to: backend, limit: 2) { port in
                try await withClient(of: port) { first, writeFirst in
                    try await withClient(of: port) { second, writeSecond in
                        try await writeFirst.write(ByteBuffer(string: "one"))
                        try await writeSecond.write(ByteBuffer(string: "two"))
                        for try await part in first {
                            #expect(String(buffer: part) == "one")
                            break
                        }
                        var answers = ""
                        for try await part in second {
                            answers += String(buffer: part)
                            if answers == "two" {
                                #expect(await answer(port) == nil)
                                try await writeSecond.write(ByteBuffer(string: ", still"))
                            }
                            if answers == "two, still" { break }
                        }
                    }
                    #expect(try await becomesTrue { await answer(port) == "hello" })
                }
            }
        }
    }
}
