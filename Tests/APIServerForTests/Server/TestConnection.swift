import NIOCore
import NIOHTTP1
import NIOSSL

/// A connection to a test API server, or one stream of a multiplexed connection.
struct TestConnection {
    typealias Outbound = NIOAsyncChannelOutboundWriter<TestResponsePart>

    /// Closes a connection abruptly.
    struct Cut: Error {}

    let server: TestAPIServer
    let channel: NIOAsyncChannel<HTTPServerRequestPart, TestResponsePart>

    private static let maximumBodyBytes = 8 << 20

    func run() async throws {
        try await channel.executeThenClose { inbound, outbound in
            var request: TestRequest?
            for try await part in inbound {
                switch part {
                case .head(let head): request = TestRequest(head)
                case .body(var buffer):
                    // A body that is too large is read to its end, as the refusal comes after it.
                    if let size = request?.body.readableBytes, size <= TestConnection.maximumBodyBytes {
                        request?.body.writeBuffer(&buffer)
                    }
                case .end:
                    guard let completed = request else { continue }
                    request = nil
                    try await answer(completed, outbound)
                }
            }
        }
    }

    private func answer(_ request: TestRequest, _ outbound: Outbound) async throws {
        if request.path.hasPrefix("/_test/") { return try await control(request, outbound) }
        guard let encoding = WireEncoding(accept: request.headers.first(name: "accept")) else {
            return try await refuse(TestStatus(406, reason: "NotAcceptable", message: "406: Not Acceptable"), .json, outbound)
        }
        do {
            try await admit(request)
            guard let call = request.call, let place = request.place else { return try await answerOther(request, encoding, outbound) }
            var cutAfter: Int?
            switch server.withState({ $0.fault(of: call, request) }) {
            case nil: break
            case .status(let code, let reason, let retryAfter): throw TestStatus(code, reason: reason, retryAfter: retryAfter)
            case .errorEvent(let code, let reason): throw TestStatus(code, reason: reason, asEvent: true)
            case .cut(let bytes): cutAfter = bytes
            case .hang: return try await Task.sleep(for: .seconds(3600))
            case .empty: return try await send(200, [], encoding.contentType(isWatch: request.isWatch), outbound)
            case .garbage: return try await send(200, ServerFault.garbageBytes, encoding.contentType(isWatch: request.isWatch), outbound)
            case .slow(let duration): try await Task.sleep(for: duration)
            }
            if request.isWatch { return try await watch(request, of: place, encoding, cutAfter: cutAfter, outbound) }
            let (code, body) = try server.answer(request, call.verb, place, encoding)
            try await send(code, body, encoding.contentType(), cutAfter: cutAfter, outbound)
        } catch let status as TestStatus {
            try await refuse(status, encoding, outbound)
        }
    }

    /// Records a request; throws if it is not admitted or its resource does not exist.
    private func admit(_ request: TestRequest) async throws {
        let (token, absent) = server.withState { state in
            state.note(request.target)
            return (state.token, state.absent)
        }
        let isCertified = server.settings.certifiedPaths.isEmpty ? false : await hasCertificate()
        let needsCertificate = server.settings.certifiedPaths.contains { request.path.hasPrefix($0) }
        if let token, request.headers.first(name: "authorization") != "Bearer \(token)" {
            throw TestStatus(401, reason: "Unauthorized", message: "Unauthorized")
        }
        if needsCertificate, !isCertified { throw TestStatus(401, reason: "Unauthorized", message: "Unauthorized") }
        if let plural = request.place?.resource.plural, absent.contains(plural) { throw TestStatus.unknownPath }
    }

    private func hasCertificate() async -> Bool {
        // A stream of a multiplexed connection has no TLS of its own, but its parent does.
        for channel in [channel.channel, channel.channel.parent].compactMap(\.self) {
            // Fails without TLS, and so without a certificate.
            let certificate = try? await channel.nioSSL_peerCertificate().get()
            if certificate != nil { return true }
        }
        return false
    }

    private func answerOther(_ request: TestRequest, _ encoding: WireEncoding, _ outbound: Outbound) async throws {
        switch request.path {
        case "/healthz", "/readyz", "/livez": try await send(200, Array("ok".utf8), "text/plain", outbound)
        case "/version":
            let version: JSON = ["major": "1", "minor": "36", "gitVersion": "v1.36.0-test"]
            try await send(200, version.bytes, WireEncoding.json.contentType(), outbound)
        default: throw TestStatus.unknownPath
        }
    }

    private func control(_ request: TestRequest, _ outbound: Outbound) async throws {
        do {
            let answer = try TestControl(server: server).answer(request)
            try await send(200, answer.bytes + [UInt8(ascii: "\n")], WireEncoding.json.contentType(), outbound)
        } catch let status as TestStatus {
            try await refuse(status, .json, outbound)
        }
    }

    func refuse(_ status: TestStatus, _ encoding: WireEncoding, _ outbound: Outbound) async throws {
        if status.asEvent { return try await send(200, encoding.errorEvent(status), encoding.contentType(isWatch: true), outbound) }
        try await send(status.code, encoding.status(status), encoding.contentType(), headers: status.headers, outbound)
    }

    private func send(
        _ code: Int, _ body: [UInt8], _ contentType: String, headers: HTTPHeaders = [:], cutAfter: Int? = nil, _ outbound: Outbound
    ) async throws {
        try await begin(code, contentType, headers: headers, outbound)
        try await write(ByteBuffer(bytes: body), cutAfter: cutAfter, outbound)
        try await outbound.write(.end(nil))
    }

    func begin(_ code: Int, _ contentType: String, headers: HTTPHeaders = [:], _ outbound: Outbound) async throws {
        var head = HTTPResponseHead(version: .http1_1, status: HTTPResponseStatus(statusCode: code), headers: headers)
        head.headers.add(name: "Content-Type", value: contentType)
        try await outbound.write(.head(head))
    }

    func write(_ buffer: ByteBuffer, cutAfter: Int? = nil, _ outbound: Outbound) async throws {
        let part = cutAfter.flatMap { buffer.getSlice(at: buffer.readerIndex, length: min($0, buffer.readableBytes)) } ?? buffer
        if part.readableBytes > 0 { try await outbound.write(.body(part)) }
        if cutAfter != nil { throw Cut() }
    }
}
