@testable import StatusServer
import Glibc
import Model
import Testing

/// Untrusted clients.
@Suite(.serialized) struct `A hostile client` {
    /// Runs a server that always answers with the same text.
    private func serving(
        limit: Int = 64, timeouts: HTTPListener.ClientTimeouts = .init(idle: .seconds(2), exchange: .seconds(2)), body: String = "ok",
        _ test: @Sendable @escaping (UInt16, OpenConnections) async throws -> Void
    ) async throws {
        let connections = OpenConnections(limit: limit)
        let listener = HTTPListener(
            ListenAddress(.address(IPAddress(v4: 0x7f00_0001)), port: 0), connections: connections, timeouts: timeouts
        ) { _ in .text(body) }
        let (ports, listening) = AsyncStream.makeStream(of: UInt16.self)
        try await withThrowingTaskGroup { group in
            group.addTask { try await listener.run { listening.yield($0) } }
            for await port in ports {
                try await test(port, connections)
                break
            }
            group.cancelAll()
        }
        // A listener leaves no connections behind.
        try await wait { connections.count == 0 }
    }

    @Test func `that sends its head slowly is cut off`() async throws {
        try await serving { port, connections in
            let client = try TestConnection(port)
            var sent = 0
            try await client.send("GET / HTTP/1.1\r\n")
            while sent < 200, try await client.send("X-\(sent): y\r\n") {
                sent += 1
                try await Task.sleep(for: .milliseconds(100))
            }
            #expect(sent < 200)
            try await wait { connections.count == 0 }
        }
    }

    @Test func `that connects while the server stops does no harm`() async throws {
        for _ in 0..<10 {
            try await serving { port, connections in
                // They continue for a while after the server stops; it does not matter whether they connect.
                let clients = (0..<4).map { _ in
                    Task {
                        while !Task.isCancelled {
                            _ = try? await TestConnection(port).send("GET / HTTP/1.1\r\nHost: x\r\n\r\n")
                            await Task.yield()
                        }
                    }
                }
                defer {
                    Task {
                        try await Task.sleep(for: .milliseconds(150))
                        for client in clients { client.cancel() }
                    }
                }
                try await wait { connections.count > 0 }
            }
        }
    }

    @Test func `that sends nothing is cut off`() async throws {
        try await serving { port, connections in
            let client = try TestConnection(port)
            #expect(try await client.readToEnd() == "")
            try await wait { connections.count == 0 }
        }
    }

    @Test func `that sends its body slowly is cut off`() async throws {
        try await serving { port, connections in
            let client = try TestConnection(port)
            try await client.send("POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 4000\r\n\r\n")
            var sent = 0
            while sent < 200, try await client.send("x") {
                sent += 1
                try await Task.sleep(for: .milliseconds(100))
            }
            #expect(sent < 200)
            try await wait { connections.count == 0 }
        }
    }

    @Test func `that does not read the answer is cut off`() async throws {
        try await serving(body: String(repeating: "x", count: 16 << 20)) { port, connections in
            let client = try TestConnection(port)
            try await client.send("GET / HTTP/1.1\r\nHost: x\r\n\r\n")
            #expect(try await client.readSome().hasPrefix("HTTP/1.1 200 "))
            try await wait { connections.count == 0 }
            #expect(try await client.readToEnd().utf8.count < 16 << 20)
        }
    }

    @Test(arguments: ["Content-Length: 1000000000", "Content-Length: 99999999999999999999", "Transfer-Encoding: chunked"])
    func `that sends a huge body is refused`(header: String) async throws {
        try await serving { port, connections in
            let client = try TestConnection(port)
            try await client.send("POST / HTTP/1.1\r\nHost: x\r\n\(header)\r\n\r\n")
            if header.contains("chunked") { try await client.send("2000\r\n" + String(repeating: "x", count: 0x2000) + "\r\n") }
            let answer = try await client.readSome()
            #expect(answer.hasPrefix("HTTP/1.1 413 ") || answer.hasPrefix("HTTP/1.1 400 "), "\(answer)")
            try await wait { connections.count == 0 }
        }
    }

    /// Request heads by their invalid part: the complete text would fill the log.
    private static let heads = [
        "path": "GET /\(String(repeating: "a", count: 200_000)) HTTP/1.1\r\n\r\n",
        "field": "GET / HTTP/1.1\r\nX: \(String(repeating: "a", count: 200_000))\r\n\r\n",
        "fields": "GET / HTTP/1.1\r\n\((0..<2000).map { "X-\($0): y\r\n" }.joined())\r\n", "protocol": "\u{16}\u{3}\u{1}\r\n\r\n",
    ]

    @Test(arguments: heads.keys.sorted()) func `that sends a huge or invalid head is refused`(what: String) async throws {
        let head = try #require(`A hostile client`.heads[what])
        try await serving { port, connections in
            let client = try TestConnection(port)
            try await client.send(head)
            #expect(try await !client.readToEnd().hasPrefix("HTTP/1.1 200"))
            try await wait { connections.count == 0 }
        }
    }

    @Test func `that opens 2,000 connections does not block others and uses no more descriptors than the limit`() async throws {
        try await serving(timeouts: .init(idle: .seconds(60), exchange: .seconds(60))) { port, connections in
            TestConnection.allowManyDescriptors()
            var kept: [Int32] = []
            defer { kept.forEach { close($0) } }
            for _ in 0..<2000 {
                let client = try TestConnection(port)
                try await client.send("GET / HT")
                kept.append(client.duplicate())
                #expect(connections.count <= 64)
            }
            #expect(try await TestConnection.get(port).status == 200)
            #expect(connections.count <= 64)
        }
    }

    @Test func `that opens more connections than the limit does not close those of other clients`() async throws {
        try await serving(timeouts: .init(idle: .seconds(60), exchange: .seconds(60))) { port, connections in
            TestConnection.allowManyDescriptors()
            let other = try TestConnection(port, from: 0x7f00_0002)
            try await other.send("GET / HT")
            try await wait { connections.count == 1 }
            var kept: [Int32] = []
            defer { kept.forEach { close($0) } }
            for _ in 0..<500 { kept.append(try TestConnection(port).duplicate()) }
            try await wait { connections.count == 64 }
            try await other.send("TP/1.1\r\nHost: x\r\n\r\n")
            #expect(try await other.readSome().hasPrefix("HTTP/1.1 200 "))
        }
    }

    @Test func `that sends many requests at once gets the answers in order, and none is buffered without limit`() async throws {
        try await serving(body: String(repeating: "x", count: 100_000)) { port, connections in
            let client = try TestConnection(port)
            // It does not read, so that the server stops reading too.
            var sent = 0
            let head = "GET / HTTP/1.1\r\nHost: x\r\n\r\n"
            while sent < 2_000_000, try await client.send(String(repeating: head, count: 100)) { sent += 100 }
            #expect(sent < 2_000_000, "it is cut off, as it does not read the answers")
            try await wait { connections.count == 0 }
        }
    }

    @Test func `that only reuses a connection or sends HEAD is served normally`() async throws {
        try await serving(timeouts: .init(idle: .seconds(60), exchange: .seconds(60))) { port, _ in
            let client = try TestConnection(port)
            try await client.send("GET / HTTP/1.1\r\nHost: x\r\n\r\n")
            #expect(try await client.readSome().contains("\r\n\r\nok"))
            try await client.send("HEAD / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
            let answer = try await client.readToEnd()
            #expect(answer.contains("Content-Length: 2\r\n") && answer.hasSuffix("\r\n\r\n"), "\(answer)")
        }
    }
}
