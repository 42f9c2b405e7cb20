internal import AsyncHTTPClient
internal import Glibc
internal import NIOCore
internal import NIOHTTP1
internal import NIOSSL

/// An HTTP client and the TLS material that it was created with; new certificates need a new client.
struct HTTPConnection: Sendable {
    let client: HTTPClient
    let tls: TLSMaterial
    /// Numbers the clients, so that a failure of an earlier one does not close a later one.
    let generation: Int
    /// The period in which the trusted authorities stay the same, in seconds since 1970.
    private let validity: Range<Int>

    init(
        _ access: APIAccess, settings: APIClientSettings, tls: TLSMaterial, generation: Int, on group: any EventLoopGroup
    ) throws(AccessError) {
        self.tls = tls
        self.generation = generation
        let anchors = try HTTPConnection.anchors(access, tls)
        validity = anchors?.validity ?? .min ..< .max
        var configuration = HTTPClient.Configuration()
        configuration.tlsConfiguration = try HTTPConnection.configuration(access, tls, anchors)
        configuration.redirectConfiguration = .disallow
        configuration.timeout.connect = TimeAmount(settings.connectTimeout)
        configuration.timeout.read = TimeAmount(settings.readTimeout)
        // The reflector does the retries, and failures must be visible to the user.
        configuration.connectionPool.retryConnectionEstablishment = false
        if access.server.isSecure, let name = access.nameForTLS { configuration.dnsOverride = [name: access.server.host] }
        configuration.proxy = access.proxy.map(HTTPConnection.proxy)
        // The pool sends no request over a connection before these complete (HTTPConnectionPool+Factory.swift of AsyncHTTPClient).
        let identity = access.serverIdentity
        configuration.http1_1ConnectionDebugInitializer = { HTTPConnection.admit($0, as: identity) }
        configuration.http2ConnectionDebugInitializer = { HTTPConnection.admit($0, as: identity) }
        client = HTTPClient(eventLoopGroupProvider: .shared(group), configuration: configuration)
    }

    /// The URL of the server, with the name to verify its certificate against as the host; the `Host` header contains its address.
    static func base(_ access: APIAccess) -> String {
        let server = access.server
        guard server.isSecure, let name = access.nameForTLS else { return server.description }
        return "https://\(ServerAddress.authority(host: name, port: server.port))\(server.path)"
    }

    /// Whether the client can still be used with this TLS material.
    func isUsable(for tls: TLSMaterial) -> Bool { self.tls == tls && validity.contains(HTTPConnection.now) }

    private static var now: Int { time(nil) }

    private static func anchors(_ access: APIAccess, _ tls: TLSMaterial) throws(AccessError) -> TrustAnchors? {
        guard let authorities = tls.authorities else { return nil }
        let bundle = try certificates(authorities, "certificate-authority", access.certificateAuthority)
        do {
            return try TrustAnchors(bundle, at: now)
        } catch {
            throw refusal("certificate-authority", access.certificateAuthority, "cannot be used: \(error)")
        }
    }

    private static func configuration(
        _ access: APIAccess, _ tls: TLSMaterial, _ anchors: TrustAnchors?
    ) throws(AccessError) -> TLSConfiguration {
        var result = TLSConfiguration.makeClientConfiguration()
        result.minimumTLSVersion = .tlsv12
        if access.skipsVerification {
            result.certificateVerification = .none
        } else if case .address = access.serverIdentity, access.proxy != nil || access.tlsServerName != nil {
            // NIOSSL would verify the address of the peer; `admit` verifies the right one.
            result.certificateVerification = .noHostnameVerification
        }
        if let anchors { result.trustRoots = .certificates(anchors.certificates) }
        if let chain = tls.certificate, let key = tls.key {
            result.certificateChain = try certificates(chain, "client-certificate", access.clientCertificate).map { .certificate($0) }
            do {
                result.privateKey = .privateKey(try NIOSSLPrivateKey(bytes: key, format: .pem))
            } catch {
                throw refusal("client-key", access.clientKey, "is not a PEM private key: \(error)")
            }
            try check(result, access)
        }
        return result
    }

    /// Detects a key that does not match its certificate, which would otherwise appear as a network failure when connecting.
    private static func check(_ configuration: TLSConfiguration, _ access: APIAccess) throws(AccessError) {
        var configuration = configuration
        // The system's many authorities are irrelevant to this check.
        configuration.trustRoots = .certificates([])
        do {
            _ = try NIOSSLContext(configuration: configuration)
        } catch {
            throw refusal("client-certificate", access.clientCertificate, "cannot be used with its key: \(error)")
        }
    }

    private static func certificates(_ bytes: [UInt8], _ field: String, _ source: PEMSource?) throws(AccessError) -> [NIOSSLCertificate] {
        let certificates: [NIOSSLCertificate]
        do {
            certificates = try NIOSSLCertificate.fromPEMBytes(bytes)
        } catch {
            throw refusal(field, source, "contains no PEM certificate: \(error)")
        }
        guard !certificates.isEmpty else { throw refusal(field, source, "contains no PEM certificate") }
        return certificates
    }

    private static func refusal(_ field: String, _ source: PEMSource?, _ message: String) -> AccessError {
        switch source {
        case .file(let path): AccessError(source: "file \(path)", field: field, message: message)
        default: AccessError(source: "TLS", field: field, message: message)
        }
    }

    private static func proxy(_ address: ProxyAddress) -> HTTPClient.Configuration.Proxy {
        switch address.kind {
        case .socks5: .socksServer(host: address.host, port: address.port)
        case .http:
            .server(
                host: address.host, port: address.port,
                authorization: address.user.map { .basic(username: $0, password: address.password ?? "") })
        }
    }

    /// Admits a new connection: verifies the server's identity and enables TCP keepalive.
    private static func admit(_ channel: any Channel, as identity: ServerIdentity?) -> EventLoopFuture<Void> {
        guard let identity else { return keepAlive(channel) }
        return channel.nioSSL_peerCertificate().flatMapThrowing { certificate in
            guard let certificate else { throw NIOSSLError.noCertificateToValidate }
            try identity.check(certificate)
        }.flatMap { keepAlive(channel) }.flatMapError { error in
            // Close before the failure is reported, as the pool expects, and without close_notify, which the server may not answer.
            channel.pipeline.context(handlerType: NIOSSLHandler.self).whenComplete { found in
                switch found {
                case .success(let context): context.close(promise: nil)
                case .failure: channel.close(promise: nil)
                }
            }
            return channel.closeFuture.flatMapThrowing { throw error }
        }
    }

    /// Lets the kernel detect a dead peer: after 15 s of silence it sends three probes, and sent data must be acknowledged within 30 s.
    private static func keepAlive(_ channel: any Channel) -> EventLoopFuture<Void> {
        let options: [(ChannelOptions.Types.SocketOption, SocketOptionValue)] = [
            (ChannelOptions.socketOption(.so_keepalive), 1),
            (ChannelOptions.tcpOption(NIOBSDSocket.Option(rawValue: TCP_KEEPIDLE)), 15),
            (ChannelOptions.tcpOption(NIOBSDSocket.Option(rawValue: TCP_KEEPINTVL)), 5),
            (ChannelOptions.tcpOption(NIOBSDSocket.Option(rawValue: TCP_KEEPCNT)), 3),
            (ChannelOptions.tcpOption(NIOBSDSocket.Option(rawValue: TCP_USER_TIMEOUT)), 30_000),
        ]
        return .andAllSucceed(options.map { channel.setOption($0.0, value: $0.1) }, on: channel.eventLoop)
    }
}

extension APIAccess {
    /// The identity that the server's certificate must have; nil without verification or without TLS.
    fileprivate var serverIdentity: ServerIdentity? {
        server.isSecure && !skipsVerification ? ServerIdentity(tlsServerName ?? server.host) : nil
    }

    /// The name to send in place of the server's host (SNI); nil for an address, which SNI does not allow (RFC 6066 §3).
    fileprivate var nameForTLS: String? {
        guard let tlsServerName, case .name = ServerIdentity(tlsServerName) else { return nil }
        return tlsServerName
    }
}
