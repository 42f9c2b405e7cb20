internal import AsyncHTTPClient
internal import FoundationEssentials
internal import Glibc
internal import NIOCore
internal import NIOHTTP1
internal import StatusServer
internal import StatusAPI
internal import StatusTable
internal import SystemPackage
internal import Text

/// The client of the running proxy's status socket.
struct ProxySocket {
    let path: String

    init(stateDirectory: String) { path = "\(stateDirectory)/\(ProxyReport.socketName)" }

    /// - Parameter selector: a label selector of Services; nil for all.
    func report(_ selector: String? = nil) async throws -> ProxyReport {
        let query = selector.map { "?\(ProxyReport.selectorParameter)=\($0.percentEncoded)" } ?? ""
        return try await get(ProxyReport.path + query, of: ProxyReport.kind)
    }

    func differences() async throws -> ProxyDifferences { try await get(ProxyDifferences.path, of: "ProxyDifferences") }

    /// In bytes; a report of 10,000 Services with 100,000 endpoints has some 20 MB.
    private static let limit = 1 << 30

    private struct Envelope: Decodable {
        var apiVersion: String
        var kind: String
    }

    /// Does not retry connections: a proxy that was killed leaves a socket without a listener.
    private static var configuration: HTTPClient.Configuration {
        var configuration = HTTPClient.Configuration()
        configuration.connectionPool.retryConnectionEstablishment = false
        return configuration
    }

    private static func send(_ request: HTTPClientRequest) async throws -> (HTTPResponseStatus, Data) {
        let client = HTTPClient(eventLoopGroupProvider: .singleton, configuration: configuration)
        do {
            let response = try await client.execute(request, timeout: .seconds(120))
            let body = try await response.body.collect(upTo: limit)
            try await client.shutdown()
            return (response.status, Data(body.readableBytesView))
        } catch {
            // The first error counts.
            try? await client.shutdown()
            throw error
        }
    }

    private func get<Answer: Decodable>(_ route: String, of kind: String) async throws -> Answer {
        // A missing socket is reported with the system's error, not that of the HTTP client.
        guard unsafe access(path, F_OK) == 0 else { throw unreachable("\(Errno(rawValue: errno))") }
        do {
            let request = HTTPClientRequest(url: "http+unix://\(path.percentEncoded)\(route)")
            let (status, data) = try await ProxySocket.send(request)
            guard status.code == 200 else {
                throw ProxySocketError(path: path, reason: "\(status): \(String(decoding: data.prefix(500), as: UTF8.self))")
            }
            let envelope = try JSONDecoder().decode(Envelope.self, from: data)
            guard envelope.apiVersion == ProxyReport.apiVersion, envelope.kind == kind else {
                throw ProxySocketError(
                    path: path,
                    reason:
                        "it returned \(envelope.apiVersion) \(envelope.kind) instead of \(ProxyReport.apiVersion) \(kind): use the kube-ipvs-proxy version of the running proxy"
                )
            }
            return try JSONDecoder().decode(Answer.self, from: data)
        } catch let failure as ProxySocketError {
            throw failure
        } catch {
            throw unreachable("\(error)")
        }
    }

    private func unreachable(_ reason: String) -> ProxySocketError {
        ProxySocketError(
            path: path, reason: reason, others: StateDirectory.listening().filter { "\($0)/\(ProxyReport.socketName)" != path })
    }
}

/// A failed request to the proxy, or an unusable response.
struct ProxySocketError: Error, CustomStringConvertible {
    var path: String
    var reason: String
    /// The state directories of proxies that listen elsewhere.
    var others: [String] = []

    var description: String {
        let hints = others.map { "; a proxy listens on \($0)/\(ProxyReport.socketName): set --state-directory to \($0)" }
        return "no proxy answers on \(path): \(reason)\(hints.joined())".printable()
    }
}
