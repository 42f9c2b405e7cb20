/// An error response of the API server (`meta/v1` Status).
public struct APIStatus: Error, Hashable, Sendable {
    /// `code`: the HTTP status code; 0 if absent.
    public var code: Int
    /// `reason`: `Expired`, `NotFound`, `Unauthorized`, …; empty if absent.
    public var reason: String
    /// `message`
    public var message: String
    /// `details.retryAfterSeconds`: how long to wait before a retry.
    public var retryAfterSeconds: Int?

    public init(code: Int, reason: String = "", message: String = "", retryAfterSeconds: Int? = nil) {
        self.code = code
        self.reason = reason
        self.message = message
        self.retryAfterSeconds = retryAfterSeconds
    }
}

extension APIStatus: CustomStringConvertible {
    /// `410 Expired: too old resource version: 1 (263)`.
    public var description: String {
        let head = reason.isEmpty ? "\(code)" : "\(code) \(reason)"
        return message.isEmpty ? head : "\(head): \(WireError.printable(message))"
    }
}

extension APIStatus: Decodable {
    private enum CodingKeys: String, CodingKey { case code, reason, message, details }

    private struct Details: Decodable {
        var retryAfterSeconds: Int?
    }

    public init(from decoder: any Decoder) throws {
        let fields = try decoder.container(keyedBy: CodingKeys.self)
        self.init(
            code: try fields.decodeIfPresent(Int.self, forKey: .code) ?? 0,
            reason: try fields.decodeIfPresent(String.self, forKey: .reason) ?? "",
            message: try fields.decodeIfPresent(String.self, forKey: .message) ?? "",
            retryAfterSeconds: try fields.decodeIfPresent(Details.self, forKey: .details)?.retryAfterSeconds.flatMap(APIStatus.wait))
    }

    init(_ status: ProtoStatus) {
        self.init(
            code: Int(status.code), reason: status.reason, message: status.message,
            retryAfterSeconds: APIStatus.wait(Int(status.details.retryAfterSeconds)))
    }

    /// The API treats 0 as unset.
    private static func wait(_ seconds: Int) -> Int? { seconds > 0 ? seconds : nil }
}
