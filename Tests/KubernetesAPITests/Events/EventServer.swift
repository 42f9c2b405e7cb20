@testable import APIServerForTests
import KubernetesAPI
import NIOCore
import NIOHTTP1
import Synchronization

/// An API server for Events only, which keeps requests with their bodies and gives the configured answers.
final class EventServer: Sendable {
    struct Request: Sendable {
        var method: String
        var target: String
        var contentType: String
        var body: String
    }

    enum Answer: Sendable {
        case created
        case refused(Int, reason: String, message: String = "test failure", retryAfter: Int? = nil)
        /// Breaks the connection; the Event may or may not have been accepted.
        case cut
        case hang
    }

    struct State {
        var requests: [Request] = []
        var answers: [Answer] = []
        var defaultAnswer = Answer.created
        var inFlight = 0
        var mostInFlight = 0
    }

    private let state = Mutex(State())
    private let port: Int

    private init(port: Int) {
        self.port = port
    }

    /// Serves during `body`.
    static func serving(_ body: @escaping @Sendable (EventServer) async throws -> Void) async throws {
        let listener = try await TestListener(host: "127.0.0.1", port: 0, tls: nil)
        let server = EventServer(port: listener.port)
        try await withThrowingTaskGroup { group in
            group.addTask {
                try await listener.run {
                } _: { exchange in
                    // Tests break connections on purpose.
                    try? await server.serve(exchange)
                }
            }
            defer { group.cancelAll() }
            try await body(server)
        }
    }

    var access: APIAccess { APIAccess(server: ServerAddress(isSecure: false, host: "127.0.0.1", port: port)) }

    var requests: [Request] { state.withLock { $0.requests } }

    func withState<Result: Sendable>(_ body: (inout State) -> Result) -> Result { state.withLock { body(&$0) } }

    private struct Cut: Error {}

    private func serve(_ exchange: TestListener.Exchange) async throws {
        try await exchange.executeThenClose { inbound, outbound in
            var request = Request(method: "", target: "", contentType: "", body: "")
            for try await part in inbound {
                switch part {
                case .head(let head):
                    request = Request(
                        method: head.method.rawValue, target: head.uri, contentType: head.headers.first(name: "content-type") ?? "",
                        body: "")
                case .body(let buffer): request.body += String(buffer: buffer)
                case .end:
                    let answer = begin(request)
                    defer { withState { $0.inFlight -= 1 } }
                    try await send(answer, outbound)
                }
            }
        }
    }

    private func begin(_ request: Request) -> Answer {
        withState { state in
            state.requests.append(request)
            state.inFlight += 1
            state.mostInFlight = max(state.mostInFlight, state.inFlight)
            return state.answers.isEmpty ? state.defaultAnswer : state.answers.removeFirst()
        }
    }

    private func send(_ answer: Answer, _ outbound: NIOAsyncChannelOutboundWriter<TestResponsePart>) async throws {
        let code: Int
        let body: String
        var headers: HTTPHeaders = ["Content-Type": "application/json"]
        switch answer {
        case .cut: throw Cut()
        case .hang: return try await Task.sleep(for: .seconds(3600))
        case .created: (code, body) = (201, "{\"kind\":\"Event\"}")
        case .refused(let status, let reason, let message, let retryAfter):
            code = status
            body = "{\"kind\":\"Status\",\"apiVersion\":\"v1\",\"message\":\"\(message)\",\"reason\":\"\(reason)\",\"code\":\(status)}"
            if let retryAfter { headers.add(name: "Retry-After", value: "\(retryAfter)") }
        }
        headers.add(name: "Content-Length", value: "\(body.utf8.count)")
        try await outbound.write(.head(HTTPResponseHead(version: .http1_1, status: .init(statusCode: code), headers: headers)))
        try await outbound.write(.body(ByteBuffer(string: body)))
        try await outbound.write(.end(nil))
    }
}
