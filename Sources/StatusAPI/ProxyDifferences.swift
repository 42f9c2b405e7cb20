/// The response of a running proxy to `GET /differences` on its socket: the operations that would bring the kernel in sync.
public struct ProxyDifferences: Codable, Hashable, Sendable {
    public static let path = "/differences"

    public struct Step: Codable, Hashable, Sendable {
        /// Such as `addRealServer`.
        public var operation: String
        /// The equivalent command.
        public var command: String
        /// The affected Service port, such as `default/web:http (ClusterIP)`.
        public var service: String?

        public init(operation: String, command: String, service: String?) {
            self.operation = operation
            self.command = command
            self.service = service
        }
    }

    public var apiVersion = ProxyReport.apiVersion
    public var kind = "ProxyDifferences"
    public var differences: [Step]

    public init(differences: [Step]) { self.differences = differences }
}
