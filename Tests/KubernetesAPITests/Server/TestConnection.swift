import NIOCore
import NIOHTTP1
import Synchronization

/// One connection to a test API server, or one stream of a connection of many.
struct TestConnection {
    typealias Outbound = NIOAsyncChannelOutboundWriter<TestResponsePart>

    /// Ends a connection without ceremony.
    struct Cut: Error {}

    let server: TestAPIServer
    let channel: NIOAsyncChannel<HTTPServerRequestPart, TestResponsePart>

    func run() async throws {
        try await channel.executeThenClose { inbound, outbound in
            for try await part in inbound {
                guard case .head(let head) = part else { continue }
                try await answer(TestRequest(head), outbound)
            }
        }
    }

    private func answer(_ request: TestRequest, _ outbound: Outbound) async throws {
        let (token, isAbsent) = server.withState { state in
            state.requests.append(request.target)
            return (state.token, state.absent.contains(request.plural))
        }
        if let token, request.authorization != "Bearer \(token)" {
            return try await send(TestStatus(401, reason: "Unauthorized"), outbound)
        }
        if isAbsent { return try await send(TestStatus(404, reason: "NotFound"), outbound) }
        var cutAfter: Int?
        switch server.withState({ $0.fault(of: request.call) }) {
        case nil: break
        case .status(let code, let reason, let retryAfter):
            return try await send(TestStatus(code, reason: reason, retryAfter: retryAfter), outbound)
        case .errorEvent(let code, let reason):
            return try await send(200, "{\"type\":\"ERROR\",\"object\":\(TestStatus(code, reason: reason).json)}\n", outbound)
        case .cut(let bytes): cutAfter = bytes
        case .hang: return try await Task.sleep(for: .seconds(3600))
        case .garbage: return try await send(200, "\u{1}\u{2}k8s\u{0}\n}}{{\n", outbound)
        case .slow(let duration): try await Task.sleep(for: duration)
        }
        if case .watch = request.call {
            try await watch(request, cutAfter: cutAfter, outbound)
        } else if request.method == .GET {
            try await list(request, cutAfter: cutAfter, outbound)
        } else {
            try await send(201, "{\"kind\":\"Event\"}", outbound)
        }
    }

    private func list(_ request: TestRequest, cutAfter: Int?, _ outbound: Outbound) async throws {
        let (objects, version) = server.withState { ($0.store.sorted(request.plural), $0.store.version) }
        let offset = request["continue"].flatMap { Int($0) } ?? 0
        // As the watch cache, which has no pages.
        let limit = request["resourceVersion"] == "0" ? nil : request["limit"].flatMap { Int($0) }
        let page = objects.dropFirst(offset).prefix(limit ?? .max)
        let end = offset + page.count
        let body = ServerKind(plural: request.plural)
            .list(page.map(\.json), version: version, continueToken: end < objects.count ? "\(end)" : nil)
        guard let cutAfter else { return try await send(200, body, outbound) }
        try await begin(200, outbound)
        try await write(String(body.utf8.prefix(cutAfter)) ?? "", outbound)
        throw Cut()
    }

    private func watch(_ request: TestRequest, cutAfter: Int?, _ outbound: Outbound) async throws {
        let (stream, items) = AsyncStream.makeStream(of: WatchItem.self)
        let kind = ServerKind(plural: request.plural)
        let streams = request["sendInitialEvents"] == "true"
        // Under one lock, so that no event falls between what is sent first and what is sent later.
        let (id, first, refusal): (Int, String, TestStatus?) = server.withState { state in
            switch state.streamingLists {
            case .invalid where streams: return (0, "", TestStatus(422, reason: "Invalid"))
            case .errorEvent where streams: return (0, "", TestStatus(500, reason: "InternalError", asEvent: true))
            default: break
            }
            var first = ""
            if streams {
                for object in state.store.sorted(request.plural) { first += kind.event(.added, object.json) }
                first += kind.bookmark(state.store.version, isInitialEventsEnd: true)
            } else {
                let version = request["resourceVersion"].flatMap { Int($0) } ?? 0
                if version < state.store.oldest { return (0, "", TestStatus(410, reason: "Expired", asEvent: true)) }
                for event in state.store.events(request.plural, after: version) { first += event.line }
            }
            state.nextWatcher += 1
            state.watchers[state.nextWatcher] = .init(plural: request.plural, items: items)
            return (state.nextWatcher, first, nil)
        }
        if let refusal { return try await send(refusal, outbound) }
        defer { server.withState { $0.watchers[id] = nil } }
        try await begin(200, outbound)
        if let cutAfter {
            try await write(String(first.utf8.prefix(cutAfter)) ?? "", outbound)
            throw Cut()
        }
        try await write(first, outbound)
        for await item in stream {
            switch item {
            case .text(let text): try await write(text, outbound)
            case .end: return try await outbound.write(.end(nil))
            case .cut: throw Cut()
            case .hang: try await Task.sleep(for: .seconds(3600))
            }
        }
    }

    private func send(_ status: TestStatus, _ outbound: Outbound) async throws {
        if status.asEvent { return try await send(200, "{\"type\":\"ERROR\",\"object\":\(status.json)}\n", outbound) }
        try await send(status.code, status.json, headers: status.headers, outbound)
    }

    private func send(_ code: Int, _ body: String, headers: HTTPHeaders = [:], _ outbound: Outbound) async throws {
        try await begin(code, headers: headers, outbound)
        try await write(body, outbound)
        try await outbound.write(.end(nil))
    }

    private func begin(_ code: Int, headers: HTTPHeaders = [:], _ outbound: Outbound) async throws {
        var head = HTTPResponseHead(version: .http1_1, status: HTTPResponseStatus(statusCode: code), headers: headers)
        head.headers.add(name: "Content-Type", value: "application/json")
        try await outbound.write(.head(head))
    }

    private func write(_ text: String, _ outbound: Outbound) async throws {
        guard !text.isEmpty else { return }
        try await outbound.write(.body(ByteBuffer(string: text)))
    }
}
