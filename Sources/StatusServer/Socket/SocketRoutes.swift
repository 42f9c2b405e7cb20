internal import FoundationEssentials
internal import Kubernetes
internal import Model
public import NodeProxy
internal import Reconciler
internal import StatusTable

/// What is answered on the socket of the status command: `GET /state` and `GET /differences`.
public struct SocketRoutes: Sendable {
    /// The socket's name in the state directory.
    public static let name = "status.sock"

    private let synchronizer: Synchronizer

    public init(_ synchronizer: Synchronizer) { self.synchronizer = synchronizer }

    public func answer(_ request: StatusRequest) async -> StatusResponse {
        guard request.method == "GET" else { return .text("only GET is answered here\n", status: 405) }
        do {
            switch request.path {
            case ProxyReport.path:
                let selector = try request.parameters[ProxyReport.selectorParameter].map { text throws(LabelSelector.Malformed) in
                    try LabelSelector(text)
                }
                return .json(try SocketRoutes.json(await synchronizer.report(selector)))
            case ProxyDifferences.path:
                var steps: [ProxyDifferences.Step] = []
                for operation in try await synchronizer.differences() {
                    let origin = await synchronizer.origin(of: operation)
                    steps.append(.init(operation: operation.kind.rawValue, command: operation.command, service: origin?.description))
                }
                return .json(try SocketRoutes.json(ProxyDifferences(differences: steps)))
            default: return .notFound
            }
        } catch let error as LabelSelector.Malformed {
            return .text("\(error)\n", status: 400)
        } catch {
            return .text("\(error)\n", status: 500)
        }
    }

    private static func json(_ value: some Encodable) throws -> String {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
        return String(decoding: try encoder.encode(value), as: UTF8.self) + "\n"
    }
}
