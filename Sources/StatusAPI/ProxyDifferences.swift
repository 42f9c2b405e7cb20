/// What a running proxy answers on its socket to `GET /differences`: what would bring the kernel to what it is to hold.
public struct ProxyDifferences: Codable, Hashable, Sendable {
    public static let path = "/differences"

    public struct Step: Codable, Hashable, Sendable {
        /// Such as `addRealServer`.
        public var operation: String
        /// The command that it equals.
        public var command: String
        /// The Service port it is about, such as `default/web:http (ClusterIP)`.
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
