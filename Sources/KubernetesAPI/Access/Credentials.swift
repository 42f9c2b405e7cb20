internal import FoundationEssentials
import Logging
internal import SystemCalls
internal import SystemPackage
internal import Text

/// The credentials for the API server, refreshed from the files and plugins that supply them.
actor Credentials {
    private let access: APIAccess
    private let logger: Logger
    private let timeLimit: Duration
    private let start = ContinuousClock.now
    private var files: CredentialFreshness
    private var plugin: CredentialFreshness
    private var tls = TLSMaterial()
    private var token: String?
    private var answer: ExecCredential?
    private var isRefreshing = false
    private var waiting: [CheckedContinuation<Void, Never>] = []

    /// - Parameters:
    ///   - interval: how often files are reread.
    ///   - timeLimit: the time limit of a credential plugin.
    init(_ access: APIAccess, interval: Duration = .seconds(60), timeLimit: Duration = .seconds(30), logger: Logger) {
        self.access = access
        self.logger = logger
        self.timeLimit = timeLimit
        files = CredentialFreshness(interval: interval)
        plugin = CredentialFreshness(interval: interval)
    }

    /// Returns the credential for the next request, refreshed if due.
    func current() async throws(AccessError) -> Credential {
        // A plugin may take a while: concurrent callers wait for its result instead of starting another.
        while isRefreshing { await withCheckedContinuation { waiting.append($0) } }
        isRefreshing = true
        defer {
            isRefreshing = false
            for waiter in waiting { waiter.resume() }
            waiting = []
        }
        let uptime = ContinuousClock.now - start
        let time = Date().timeIntervalSince1970
        if files.isDue(at: uptime, secondsSince1970: time) {
            try readFiles()
            files.refreshed(at: uptime)
        }
        if case .exec(let program) = access.authentication, plugin.isDue(at: uptime, secondsSince1970: time) {
            let answer = try await run(program)
            self.answer = answer
            plugin.refreshed(at: ContinuousClock.now - start, expiring: true, expiration: answer.expiration)
        }
        return credential
    }

    /// Handles a 401 response to a request sent with `used`; returns whether a retry may succeed.
    func refused(_ used: Credential) async throws(AccessError) -> Bool {
        // A credential that has been replaced in the meantime needs no further refresh.
        if used == credential {
            files.refused()
            plugin.refused()
        }
        return try await current() != used
    }

    private var credential: Credential {
        var tls = tls
        if let certificate = answer?.certificate, let key = answer?.key {
            tls.certificate = certificate
            tls.key = key
        }
        let authorization: String? =
            switch access.authentication {
            case .none: nil
            case .token(let token): Credential.bearer(token)
            case .tokenFile: token.map(Credential.bearer)
            case .basic(let user, let password): Credential.basic(user: user, password: password)
            case .exec: answer?.token.map(Credential.bearer)
            }
        return Credential(authorization: authorization, tls: tls)
    }

    private func readFiles() throws(AccessError) {
        do {
            var fresh = TLSMaterial()
            fresh.authorities = try Credentials.read(access.certificateAuthority)
            fresh.certificate = try Credentials.read(access.clientCertificate)
            fresh.key = try Credentials.read(access.clientKey)
            tls = fresh
            if case .tokenFile(let path) = access.authentication { token = try CredentialFile.readLine(path) }
        } catch {
            // Keep the previous credentials while the files are being replaced.
            guard tls != TLSMaterial() || token != nil else { throw error }
            logger.warning("Failed to reload credentials; using previous credentials", metadata: ["error": "\(error)"])
        }
    }

    private static func read(_ source: PEMSource?) throws(AccessError) -> [UInt8]? {
        switch source {
        case nil: nil
        case .data(let bytes): bytes
        case .file(let path): try CredentialFile.read(path)
        }
    }

    private func run(_ program: ExecPlugin) async throws(AccessError) -> ExecCredential {
        let information = try ExecInfo.text(for: program, access: access, authorities: tls.authorities)
        let (answer, standardError) = try await program.run(information: information, timeLimit: timeLimit)
        if !standardError.isEmpty {
            logger.warning("Credential plugin wrote to stderr", metadata: ["command": "\(program.command)", "stderr": "\(standardError)"])
        }
        logger.debug("Credential plugin succeeded", metadata: ["command": "\(program.command)"])
        return answer
    }
}

/// The `Authorization` header and the TLS material of a request.
struct Credential: Hashable, Sendable {
    /// The `Authorization` header.
    var authorization: String?
    var tls: TLSMaterial

    static func bearer(_ token: String) -> String { "Bearer \(token)" }

    static func basic(user: String, password: String) -> String {
        "Basic \(Data("\(user):\(password)".utf8).base64EncodedString())"
    }
}

/// A file that holds a token, a certificate or a kubeconfig.
enum CredentialFile {
    /// Far larger than any such file.
    private static let limit: Int64 = 4 << 20

    static func read(_ path: String) throws(AccessError) -> [UInt8] {
        do {
            return try SmallFile.read(path, limit: limit, .any).bytes
        } catch {
            throw AccessError(source: "file \(path)", message: "failed to read: \(error.errno?.description ?? error.description)")
        }
    }

    /// Reads a file that contains a single token, without surrounding white space.
    static func readLine(_ path: String) throws(AccessError) -> String {
        guard let text = String(validating: try read(path), as: UTF8.self) else {
            throw AccessError(source: "file \(path)", message: "is not UTF-8 text")
        }
        let line = text.trimmed
        guard !line.isEmpty else { throw AccessError(source: "file \(path)", message: "is empty") }
        guard !line.unicodeScalars.contains(where: { $0.value < 0x21 || $0.value > 0x7e }) else {
            throw AccessError(source: "file \(path)", message: "is not a token: must be one word of ASCII")
        }
        return line
    }
}

/// When credentials have to be refreshed; the caller supplies the time.
struct CredentialFreshness: Hashable, Sendable {
    /// How long the contents of a file are considered current.
    var interval: Duration
    private var readAt: Duration?
    /// Seconds since 1970.
    private var expiration: Double?
    private var isRefused = false
    private var expires = false

    /// How long before its expiration a credential is no longer used, to leave time for the request.
    static let margin = 5.0

    init(interval: Duration = .seconds(60)) {
        self.interval = interval
    }

    /// Records a refresh. `expiring` credentials are valid until `expiration` (nil: forever), regardless of the interval.
    mutating func refreshed(at uptime: Duration, expiring: Bool = false, expiration: Double? = nil) {
        readAt = uptime
        isRefused = false
        expires = expiring
        self.expiration = expiration
    }

    /// Records that the server rejected the credentials (401).
    mutating func refused() { isRefused = true }

    /// Whether the credentials have to be refreshed before the next request.
    func isDue(at uptime: Duration, secondsSince1970 time: Double) -> Bool {
        guard let readAt, !isRefused else { return true }
        guard expires else { return uptime - readAt >= interval }
        return expiration.map { time >= $0 - CredentialFreshness.margin } ?? false
    }
}

/// How requests authenticate, apart from a client certificate.
public enum Authentication: Hashable, Sendable {
    case none
    /// `Authorization: Bearer …`
    case token(String)
    /// A bearer token from a file, which is reread as it rotates.
    case tokenFile(String)
    /// `Authorization: Basic …`
    case basic(user: String, password: String)
    /// The credential that a plugin prints.
    case exec(ExecPlugin)
}

extension Authentication: CustomStringConvertible {
    /// Omits secrets.
    public var description: String {
        switch self {
        case .none: "none"
        case .token: "token"
        case .tokenFile(let path): "token file \(path)"
        case .basic(let user, _): "basic, user \(user)"
        case .exec(let plugin): "exec \(plugin.command)"
        }
    }
}
