internal import FoundationEssentials
internal import Glibc
internal import HTTPTypes
internal import HummingbirdCore
internal import Logging
internal import Model
internal import NIOCore
internal import NIOHTTPTypes
internal import NIOPosix
internal import Text

/// An HTTP server on one address for untrusted clients: all resources that they can use are limited.
///
/// It refuses a body of more than `StatusRequest.bodyLimit` bytes and a head of more than 16 KiB, disconnects clients that do not finish
/// a request or do not read the response, and closes the oldest connection when a new one exceeds the limit. It opens the socket itself
/// in order to listen on a single family where necessary; Hummingbird does the rest of HTTP.
public struct HTTPListener: Sendable {
    /// Timeouts of clients.
    public struct ClientTimeouts: Hashable, Sendable {
        /// For the head of a request, from the start of the connection or the last response.
        public var idle: Duration
        /// From the head of a request until the response is read.
        public var exchange: Duration

        public init(idle: Duration = .seconds(30), exchange: Duration = .seconds(15)) {
            self.idle = idle
            self.exchange = exchange
        }
    }

    private let address: ListenAddress
    private let connections: OpenConnections
    private let timeouts: ClientTimeouts
    private let answer: @Sendable (StatusRequest) async -> StatusResponse

    public init(
        _ address: ListenAddress, connections: OpenConnections, timeouts: ClientTimeouts = ClientTimeouts(),
        answer: @escaping @Sendable (StatusRequest) async -> StatusResponse
    ) {
        self.address = address
        self.connections = connections
        self.timeouts = timeouts
        self.answer = answer
    }

    /// Serves requests until the task is cancelled, and then closes all connections.
    ///
    /// - Parameter onListening: Called with the port once clients can connect.
    public func run(onListening: @Sendable (UInt16) -> Void = { _ in }) async throws(ListenError) {
        let http = http
        let server: NIOAsyncChannel<HTTP1Channel.Value, Never>
        var file: RootSocket?
        defer { file?.remove() }
        do {
            server = try await bind(http, &file)
        } catch {
            throw ListenError(address: address, reason: HTTPListener.reason(error))
        }
        onListening(server.channel.localAddress?.port.map { UInt16(truncatingIfNeeded: $0) } ?? address.port)
        // An unstructured task, which is not cancelled with this one: an accepted connection without a handler crashes the program
        // (https://github.com/apple/swift-nio/issues/2637).
        let serving = Task { try await serve(server, http) }
        do {
            try await withTaskCancellationHandler {
                try await serving.value
            } onCancel: {
                HTTPListener.stop(server.channel)
            }
        } catch {
            // Errors after cancellation are expected.
            guard !Task.isCancelled else { return }
            throw ListenError(address: address, reason: HTTPListener.reason(error))
        }
    }

    /// Handles connections until the listening socket is closed, and then closes them.
    private func serve(_ server: NIOAsyncChannel<HTTP1Channel.Value, Never>, _ http: HTTP1Channel) async throws {
        try await withThrowingDiscardingTaskGroup { group in
            defer { connections.closeAll(of: ObjectIdentifier(server.channel)) }
            try await server.executeThenClose { inbound in
                for try await connection in inbound {
                    group.addTask { await http.handle(value: connection, logger: HTTPListener.silent) }
                }
            }
        }
    }

    /// Stops accepting, and closes the listening socket after the accepted connections have reached their handlers.
    private static func stop(_ server: any Channel) {
        server.setOption(.autoRead, value: false).whenComplete { _ in
            server.eventLoop.scheduleTask(in: handlerDelay) { server.close(promise: nil) }
        }
    }

    /// The time for accepted connections to reach their handlers, which takes microseconds.
    private static let handlerDelay = TimeAmount.milliseconds(100)

    private func bind(
        _ http: HTTP1Channel, _ file: inout RootSocket?
    ) async throws -> NIOAsyncChannel<HTTP1Channel.Value, Never> {
        switch address.host {
        case .everywhere:
            do {
                return try await bind(http, to: "::", onlyIPv6: false)
            } catch let error as IOError where [EAFNOSUPPORT, EADDRNOTAVAIL].contains(error.errnoCode) {
                return try await bind(http, to: "0.0.0.0")
            }
        case .all(.ipv4): return try await bind(http, to: "0.0.0.0")
        case .all(.ipv6): return try await bind(http, to: "::")
        case .address(let address): return try await bind(http, to: "\(address)")
        case .socket(let path):
            let socket = try RootSocket(path)
            file = socket
            return try await bind(http, to: socket)
        }
    }

    private func bind(
        _ http: HTTP1Channel, to host: String, onlyIPv6: Bool = true
    ) async throws -> NIOAsyncChannel<HTTP1Channel.Value, Never> {
        let location = try SocketAddress(ipAddress: host, port: Int(address.port))
        let connections = connections
        var bootstrap = ServerBootstrap(group: MultiThreadedEventLoopGroup.singleton)
            .serverChannelOption(ChannelOptions.backlog, value: 256)
            .serverChannelOption(ChannelOptions.socketOption(.so_reuseaddr), value: 1)
            .childChannelOption(ChannelOptions.allowRemoteHalfClosure, value: true)
            .serverChannelInitializer { channel in
                channel.eventLoop.makeCompletedFuture { try channel.pipeline.syncOperations.addHandler(ConnectionAdmission(connections)) }
            }
        if location.protocol == .inet6 {
            bootstrap = bootstrap.serverChannelOption(
                ChannelOptions.Types.SocketOption(level: .ipv6, name: .ipv6_v6only), value: onlyIPv6 ? 1 : 0)
        }
        return try await bootstrap.bind(to: location) { channel in http.setup(channel: channel, logger: HTTPListener.silent) }
    }

    private func bind(_ http: HTTP1Channel, to file: RootSocket) async throws -> NIOAsyncChannel<HTTP1Channel.Value, Never> {
        let connections = connections
        return try await ServerBootstrap(group: MultiThreadedEventLoopGroup.singleton)
            .childChannelOption(ChannelOptions.allowRemoteHalfClosure, value: true)
            .serverChannelInitializer { channel in
                channel.eventLoop.makeCompletedFuture {
                    try channel.pipeline.syncOperations.addHandlers([RootOnlyAccept(), ConnectionAdmission(connections)])
                }
            }
            .bind(file.descriptor) { channel in http.setup(channel: channel, logger: HTTPListener.silent) }
    }

    /// HTTP on one connection.
    var http: HTTP1Channel { HTTP1Channel(responder: responder, configuration: configuration) }

    private var configuration: HTTP1Channel.Configuration {
        let exchange = TimeAmount(timeouts.exchange)
        return HTTP1Channel.Configuration(
            additionalChannelHandlers: [ExchangeDeadline(exchange)], idleTimeout: TimeAmount(timeouts.idle),
            httpDecoderConfiguration: .init(maxHeaderFieldSize: 8 << 10, maxHeaderListSize: 16 << 10, maxHeaderFieldCount: 100))
    }

    // MARK: One request

    /// Ends the connection, without reading the rest of the request.
    private struct Refused: Error {}

    private var responder: HTTPChannelHandler.Responder {
        let answer = answer
        return { request, writer, _ in
            guard let body = try await HTTPListener.body(of: request) else {
                var refusal = StatusResponse.text("request body too large\n", status: 413)
                refusal.headers.append(.init("Connection", "close"))
                try await writer.write(response: HTTPResponse(refusal), body: ResponseBody(byteBuffer: ByteBuffer(string: refusal.body)))
                throw Refused()
            }
            let response = await answer(StatusRequest(request, body: body))
            let head = HTTPResponse(response)
            if request.method == .head {
                try await writer.writeResponse(head)
            } else {
                try await writer.write(response: head, body: ResponseBody(byteBuffer: ByteBuffer(string: response.body)))
            }
        }
    }

    /// Returns the body of a request; nil if it is too large.
    private static func body(of request: Request) async throws -> String? {
        if let length = request.headers[.contentLength], Int(length).map({ $0 > StatusRequest.bodyLimit }) ?? true { return nil }
        var body: [UInt8] = []
        for try await part in request.body {
            guard body.count + part.readableBytes <= StatusRequest.bodyLimit else { return nil }
            body.append(contentsOf: part.readableBytesView)
        }
        return String(decoding: body, as: UTF8.self)
    }

    /// Errors of clients are not logged, so that clients cannot flood the log.
    private static let silent = Logger(label: "status") { _ in SwiftLogNoOpLogHandler() }

    private static func reason(_ error: any Error) -> String {
        (error as? IOError).map { "\($0)" } ?? "\(error)"
    }
}

extension StatusRequest {
    fileprivate init(_ request: Request, body: String) {
        let target = request.head.path ?? "/"
        let parts = target.split(separator: "?", maxSplits: 1, omittingEmptySubsequences: false)
        let items = parts.count > 1 ? URLComponents(string: "?\(parts[1])")?.queryItems?.prefix(16) ?? [] : []
        self.init(
            method: request.method.rawValue, path: parts.first.map(String.init) ?? "/",
            parameters: Dictionary(items.map { ($0.name, $0.value ?? "") }) { first, _ in first }, accept: request.headers[.accept] ?? "",
            body: body)
    }
}

extension HTTPResponse {
    fileprivate init(_ response: StatusResponse) {
        var fields = HTTPFields()
        for header in response.headers {
            if let name = HTTPField.Name(header.name) { fields.append(HTTPField(name: name, value: header.value)) }
        }
        fields.append(HTTPField(name: .date, value: Moment.now.wall.httpDate))
        fields.append(HTTPField(name: .contentLength, value: "\(response.body.utf8.count)"))
        self.init(status: .init(code: response.status), headerFields: fields)
    }
}
