internal import AsyncHTTPClient
internal import Kubernetes
public import Logging
internal import NIOCore
internal import NIOHTTP1
internal import NIOPosix

/// Sends requests to the API server with current credentials, within the rate limit, over HTTP/2 if the server supports it.
///
/// Retries only a request rejected with 401, if the credentials have changed. Call `close` when done.
public actor APIClient {
    private let access: APIAccess
    private let settings: APIClientSettings
    private let credentials: Credentials
    private let observer: any APIClientObserver
    private let logger: Logger
    private let group = MultiThreadedEventLoopGroup(numberOfThreads: 1)
    private let start = ContinuousClock.now
    private var bucket: TokenBucket
    private var connection: HTTPConnection?
    private var generation = 0
    private var isClosed = false

    public init(
        _ access: APIAccess, settings: APIClientSettings, observer: any APIClientObserver = NoAPIClientObserver(), logger: Logger
    ) {
        self.access = access
        self.settings = settings
        self.observer = observer
        self.logger = logger
        credentials = Credentials(
            access, interval: settings.credentialsInterval, timeLimit: settings.execTimeLimit, logger: logger)
        bucket = TokenBucket(qps: settings.qps, burst: settings.burst)
    }

    /// Loads the credentials and certificates, so that errors in them are reported at startup and not as failed connections.
    public func prepare() async throws(AccessError) {
        _ = try connection(for: try await credentials.current().tls)
    }

    /// Sends a request and returns the complete response; throws for any status other than 2xx.
    public func send(_ request: APIRequest) async throws(APIError) -> APIResponse {
        let start = ContinuousClock.now
        defer { observer.finished(request.method, after: .now - start) }
        let (response, contentType, generation) = try await answer(request)
        let body: WireBytes
        do {
            body = WireBytes(try await response.body.collect(upTo: settings.maximumBodyBytes))
        } catch is NIOTooManyBytesError {
            throw .unreadable("more than \(settings.maximumBodyBytes) bytes")
        } catch {
            let error = APIError(transport: error)
            if error == .timedOut { drop(generation) }
            throw error
        }
        return APIResponse(code: Int(response.status.code), contentType: contentType, body: body)
    }

    /// Sends a request and returns once the response begins; for watches.
    public func stream(_ request: APIRequest) async throws(APIError) -> APIByteStream {
        let (response, contentType, generation) = try await answer(request)
        return APIByteStream(response.body, contentType: contentType) { [weak self] in await self?.drop(generation) }
    }

    /// Cancels requests in flight and releases the connections and the thread.
    public func close() async {
        guard !isClosed else { return }
        isClosed = true
        do {
            try await connection?.client.shutdown().get()
            try await group.shutdownGracefully()
        } catch {
            logger.debug("Failed to close API client cleanly", metadata: ["error": "\(error)"])
        }
        connection = nil
    }

    private typealias Answer = (response: HTTPClientResponse, contentType: ContentType, generation: Int)

    private func answer(_ request: APIRequest) async throws(APIError) -> Answer {
        var isRepeated = false
        while true {
            try await waitForToken()
            let credential: Credential
            let connection: HTTPConnection
            do throws(AccessError) {
                credential = try await credentials.current()
                connection = try self.connection(for: credential.tls)
            } catch {
                throw isClosed ? .cancelled : .access(error)
            }
            let response = try await execute(request, with: credential, over: connection)
            let contentType = response.headers.first(name: "content-type").flatMap { ContentType(header: $0) }
            guard !(200..<300 ~= response.status.code) else {
                guard let contentType else {
                    throw .unreadable("content type \(response.headers.first(name: "content-type") ?? "missing")")
                }
                return (response, contentType, connection.generation)
            }
            let status = await status(of: response, contentType: contentType)
            if status.code == 401, !isRepeated, try await canRetry(refused: credential) {
                isRepeated = true
                continue
            }
            throw .status(status)
        }
    }

    private func canRetry(refused credential: Credential) async throws(APIError) -> Bool {
        do throws(AccessError) {
            return try await credentials.refused(credential)
        } catch {
            throw .access(error)
        }
    }

    private func waitForToken() async throws(APIError) {
        let wait = bucket.take(at: .now - start)
        guard wait > .zero else { return }
        do {
            try await Task.sleep(for: wait)
        } catch {
            throw .cancelled
        }
    }

    private func execute(
        _ request: APIRequest, with credential: Credential, over connection: HTTPConnection
    ) async throws(APIError) -> HTTPClientResponse {
        var message = HTTPClientRequest(url: HTTPConnection.base(access) + request.target)
        message.method = HTTPMethod(rawValue: request.method.rawValue)
        message.headers.add(name: "Host", value: access.server.authority)
        message.headers.add(name: "Accept", value: settings.accept)
        message.headers.add(name: "User-Agent", value: settings.userAgent)
        if let authorization = credential.authorization { message.headers.add(name: "Authorization", value: authorization) }
        if let body = request.body {
            message.headers.add(name: "Content-Type", value: body.contentType)
            message.body = .bytes(body.bytes)
        }
        do {
            let response = try await connection.client.execute(message, deadline: .distantFuture)
            observer.answered(request.method, code: Int(response.status.code))
            return response
        } catch {
            let error = APIError(transport: error)
            if error != .cancelled { observer.answered(request.method, code: nil) }
            if error == .timedOut { drop(connection.generation) }
            throw error
        }
    }

    /// Returns the Status of an error response, from its body or else from its status line and headers.
    private func status(of response: HTTPClientResponse, contentType: ContentType?) async -> APIStatus {
        let code = Int(response.status.code)
        let retryAfter = response.headers.first(name: "retry-after").flatMap { Int($0) }
        // An incomplete body explains nothing, but the status line has been read.
        let body = try? await response.body.collect(upTo: 1 << 20)
        var status =
            body.flatMap { body in
                contentType.flatMap { WireDecoder<Service>.status(WireBytes(body), contentType: $0) }
            } ?? APIStatus(code: code, reason: response.status.reasonPhrase, message: "no message", retryAfterSeconds: nil)
        status.code = code
        if status.retryAfterSeconds == nil { status.retryAfterSeconds = retryAfter }
        return status
    }

    private func connection(for tls: TLSMaterial) throws(AccessError) -> HTTPConnection {
        if let connection, connection.isUsable(for: tls) { return connection }
        guard !isClosed else { throw AccessError(source: "client", message: "is closed") }
        generation += 1
        let fresh: HTTPConnection
        do throws(AccessError) {
            fresh = try HTTPConnection(access, settings: settings, tls: tls, generation: generation, on: group)
        } catch {
            // Certificate and key are separate files: between their replacements they do not match.
            guard let connection else { throw error }
            logger.warning("Failed to load new certificates; using previous certificates", metadata: ["error": "\(error)"])
            return connection
        }
        if connection != nil { logger.info("Certificates changed; reconnecting") }
        retire()
        connection = fresh
        return fresh
    }

    /// Drops a connection that timed out: over HTTP/2, all other requests would hang on it as well.
    private func drop(_ generation: Int) {
        guard connection?.generation == generation else { return }
        logger.warning("Connection timed out; reconnecting")
        retire()
    }

    /// Closes the connections and their watches, which resume over new connections.
    private func retire() {
        guard let old = connection else { return }
        connection = nil
        let logger = logger
        old.client.shutdown().whenFailure { logger.debug("Failed to close API client cleanly", metadata: ["error": "\($0)"]) }
    }
}

/// Receives notifications of requests to the API server, for metrics. Implementations must not block or fail.
public protocol APIClientObserver: Sendable {
    /// Called when the response to a request begins, or the request fails without one.
    ///
    /// - Parameter code: the HTTP status; nil if there was no response.
    func answered(_ method: APIRequest.Method, code: Int?)

    /// Called when a request completes, with its duration including the wait for the rate limit. Not called for watches, which are
    /// open-ended.
    func finished(_ method: APIRequest.Method, after duration: Duration)
}

/// Ignores all notifications.
public struct NoAPIClientObserver: APIClientObserver {
    public init() {}

    public func answered(_ method: APIRequest.Method, code: Int?) {}
    public func finished(_ method: APIRequest.Method, after duration: Duration) {}
}

/// How to connect to the API server (`clientConnection` of the configuration, and timeouts that are not configurable).
public struct APIClientSettings: Hashable, Sendable {
    /// `contentType`: the preferred encoding of bodies.
    public var contentType: ContentType
    /// `acceptContentTypes`: the `Accept` header to send; nil to derive it from `contentType`.
    public var acceptContentTypes: String?
    /// `qps`: requests per second on average; negative for no limit.
    public var qps: Double
    /// `burst`: the number of requests at once.
    public var burst: Int
    /// `User-Agent`
    public var userAgent: String
    /// The timeout for establishing a connection, including TLS.
    public var connectTimeout: Duration
    /// The timeout of a response that sends no data. A watch receives a bookmark every minute.
    public var readTimeout: Duration
    /// How often credential files are reread.
    public var credentialsInterval: Duration
    /// The time limit of a credential plugin.
    public var execTimeLimit: Duration
    /// The maximum size of a complete body.
    public var maximumBodyBytes: Int

    public init(
        contentType: ContentType = .protobuf, acceptContentTypes: String? = nil, qps: Double = 5, burst: Int = 10, version: String,
        connectTimeout: Duration = .seconds(10), readTimeout: Duration = .seconds(135), credentialsInterval: Duration = .seconds(60),
        execTimeLimit: Duration = .seconds(30), maximumBodyBytes: Int = 256 << 20
    ) {
        self.contentType = contentType
        self.acceptContentTypes = acceptContentTypes
        self.qps = qps
        self.burst = burst
        userAgent = "kube-ipvs-proxy/\(version)"
        self.connectTimeout = connectTimeout
        self.readTimeout = readTimeout
        self.credentialsInterval = credentialsInterval
        self.execTimeLimit = execTimeLimit
        self.maximumBodyBytes = maximumBodyBytes
    }

    /// The `Accept` header: protobuf first, with JSON for servers without protobuf.
    public var accept: String {
        if let acceptContentTypes, !acceptContentTypes.isEmpty { return acceptContentTypes }
        switch contentType {
        case .protobuf: return "\(ContentType.protobuf.rawValue),\(ContentType.json.rawValue)"
        case .json: return ContentType.json.rawValue
        }
    }
}
