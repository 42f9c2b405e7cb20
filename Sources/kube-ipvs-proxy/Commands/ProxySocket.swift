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

/// The socket on which a running proxy answers the status command.
struct ProxySocket {
    let path: String

    init(stateDirectory: String) { path = "\(stateDirectory)/\(ProxyReport.socketName)" }

    /// - Parameter selector: a label selector of Services; nil for all.
    func report(_ selector: String? = nil) async throws -> ProxyReport {
        let query = selector.map { "?\(ProxyReport.selectorParameter)=\($0.percentEncoded)" } ?? ""
        return try await get(ProxyReport.path + query, of: ProxyReport.kind)
    }

    func differences() async throws -> ProxyDifferences { try await get(ProxyDifferences.path, of: "ProxyDifferences") }

    /// A report of 10,000 Services with 100,000 endpoints has some 20 MB.
    private static let limit = 1 << 30

    private struct Envelope: Decodable {
        var apiVersion: String
        var kind: String
    }

    /// A proxy that died leaves its socket: nobody listens there, and it is no use to try again.
    private static var configuration: HTTPClient.Configuration {
        var configuration = HTTPClient.Configuration()
        configuration.connectionPool.retryConnectionEstablishment = false
        return configuration
    }

    private static func ask(_ request: HTTPClientRequest) async throws -> (HTTPResponseStatus, Data) {
        let client = HTTPClient(eventLoopGroupProvider: .singleton, configuration: configuration)
        do {
            let response = try await client.execute(request, timeout: .seconds(120))
            let body = try await response.body.collect(upTo: limit)
            try await client.shutdown()
            return (response.status, Data(body.readableBytesView))
        } catch {
            // What went wrong first is what counts.
            try? await client.shutdown()
            throw error
        }
    }

    private func get<Answer: Decodable>(_ route: String, of kind: String) async throws -> Answer {
        // What is wrong before anything is sent is said in the system's words, not in those of HTTP.
        guard unsafe access(path, F_OK) == 0 else { throw notAnswered("\(Errno(rawValue: errno))") }
        do {
            let request = HTTPClientRequest(url: "http+unix://\(path.percentEncoded)\(route)")
            let (status, data) = try await ProxySocket.ask(request)
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
            throw notAnswered("\(error)")
        }
    }

    private func notAnswered(_ reason: String) -> ProxySocketError {
        ProxySocketError(
            path: path, reason: reason, others: StateDirectory.listening().filter { "\($0)/\(ProxyReport.socketName)" != path })
    }
}

/// Nobody could be asked, or what was answered is of no use.
struct ProxySocketError: Error, CustomStringConvertible {
    var path: String
    var reason: String
    /// The state directories of proxies that listen elsewhere.
    var others: [String] = []

    var description: String {
        let hints = others.map { "; a proxy listens on \($0)/\(ProxyReport.socketName): set --state-directory to \($0)" }
        return "no proxy answers on \(path): \(reason)\(hints.joined())"
    }
}
