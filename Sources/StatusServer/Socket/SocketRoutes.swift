internal import FoundationEssentials
public import Kubernetes
public import StatusAPI

/// What is answered on the socket of the status command: `GET /state` and `GET /differences`.
public struct SocketRoutes: Sendable {
    private let report: @Sendable (LabelSelector?) async -> ProxyReport
    private let differences: @Sendable () async throws -> ProxyDifferences

    /// - Parameters:
    ///   - report: of the Services that a selector matches; nil for all.
    ///   - differences: between the kernel and what it should hold.
    public init(
        report: @escaping @Sendable (LabelSelector?) async -> ProxyReport,
        differences: @escaping @Sendable () async throws -> ProxyDifferences
    ) {
        self.report = report
        self.differences = differences
    }

    public func answer(_ request: StatusRequest) async -> StatusResponse {
        guard request.method == "GET" else { return .text("only GET is answered here\n", status: 405) }
        do {
            switch request.path {
            case ProxyReport.path:
                let selector = try request.parameters[ProxyReport.selectorParameter].map { text throws(LabelSelector.Malformed) in
                    try LabelSelector(text)
                }
                return .json(try SocketRoutes.json(await report(selector)))
            case ProxyDifferences.path:
                return .json(try SocketRoutes.json(try await differences()))
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
