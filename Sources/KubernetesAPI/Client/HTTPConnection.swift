internal import AsyncHTTPClient
internal import Glibc
internal import NIOCore
internal import NIOHTTP1
internal import NIOSSL

/// The HTTP client with the TLS it was set up with: another certificate needs another client.
struct HTTPConnection: Sendable {
    let client: HTTPClient
    let tls: TLSMaterial
    /// Counts the clients, so that one is not given up for the failure of the one before.
    let generation: Int
    /// From when to when the authorities are those that it was set up with, in seconds since 1970.
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
        // Attempts are the reflector's to repeat, and a failure is the user's to see.
        configuration.connectionPool.retryConnectionEstablishment = false
        if access.server.isSecure, let name = access.nameForTLS { configuration.dnsOverride = [name: access.server.host] }
        configuration.proxy = access.proxy.map(HTTPConnection.proxy)
        // A connection gets no request before these are through (HTTPConnectionPool+Factory.swift of AsyncHTTPClient).
        let identity = access.serverIdentity
        configuration.http1_1ConnectionDebugInitializer = { HTTPConnection.admit($0, as: identity) }
        configuration.http2ConnectionDebugInitializer = { HTTPConnection.admit($0, as: identity) }
        client = HTTPClient(eventLoopGroupProvider: .shared(group), configuration: configuration)
    }

    /// The server, under the name its certificate is checked for; its address then stands in the `Host` header.
    static func base(_ access: APIAccess) -> String {
        let server = access.server
        guard server.isSecure, let name = access.nameForTLS else { return server.description }
        return "https://\(ServerAddress.authority(host: name, port: server.port))\(server.path)"
    }

    /// Whether it can go on being used with such certificates.
    func isGood(for tls: TLSMaterial) -> Bool { self.tls == tls && validity.contains(HTTPConnection.now) }

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
            // NIOSSL would look for the address that the connection leads to; `admit` looks for the right one.
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

    /// A key that does not fit its certificate would look like a failure of the network when the connection is made.
    private static func check(_ configuration: TLSConfiguration, _ access: APIAccess) throws(AccessError) {
        var configuration = configuration
        // The system's authorities are many, and not what is in question.
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

    /// Lets a connection be used: to the right server, and watched by the kernel.
    private static func admit(_ channel: any Channel, as identity: ServerIdentity?) -> EventLoopFuture<Void> {
        guard let identity else { return keepAlive(channel) }
        return channel.nioSSL_peerCertificate().flatMapThrowing { certificate in
            guard let certificate else { throw NIOSSLError.noCertificateToValidate }
            try identity.check(certificate)
        }.flatMap { keepAlive(channel) }.flatMapError { error in
            // Closed before the failure is known, which is what the pool expects, and without a farewell, which the server may not answer.
            channel.pipeline.context(handlerType: NIOSSLHandler.self).whenComplete { found in
                switch found {
                case .success(let context): context.close(promise: nil)
                case .failure: channel.close(promise: nil)
                }
            }
            return channel.closeFuture.flatMapThrowing { throw error }
        }
    }

    /// Lets the kernel notice a peer that is gone: after 15 s without a word it asks three times, and what is sent is acknowledged within 30 s.
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
    /// Whom the server's certificate has to be for; nil where it goes unverified, or there is none.
    fileprivate var serverIdentity: ServerIdentity? {
        server.isSecure && !skipsVerification ? ServerIdentity(tlsServerName ?? server.host) : nil
    }

    /// The name to give in the place of the server's host (SNI), in which no address can stand (RFC 6066 §3).
    fileprivate var nameForTLS: String? {
        guard let tlsServerName, case .name = ServerIdentity(tlsServerName) else { return nil }
        return tlsServerName
    }
}
