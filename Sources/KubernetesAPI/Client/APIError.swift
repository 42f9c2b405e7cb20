internal import AsyncHTTPClient
internal import NIOPosix

/// Why a request to the API server came to nothing.
public enum APIError: Error, Hashable, Sendable, CustomStringConvertible {
    /// The server refused it.
    case status(APIStatus)
    /// There are no credentials to send it with, or no usable certificates.
    case access(AccessError)
    /// The connection did not come about: refused, timed out, or no such host.
    case unreachable(String)
    /// The connection failed before the answer was whole.
    case transport(String)
    /// No byte came for as long as the settings allow.
    case silent
    /// The answer is not what was asked for.
    case unreadable(String)
    /// The task was cancelled or the client closed.
    case cancelled

    public var description: String {
        switch self {
        case .status(let status): status.description
        case .access(let error): error.description
        case .unreachable(let message), .transport(let message): message
        case .silent: "timed out waiting for data"
        case .unreadable(let message): "unreadable response: \(message)"
        case .cancelled: "cancelled"
        }
    }
}

extension APIError {
    /// What the HTTP client says when a connection fails.
    init(transport error: any Error) {
        switch error {
        case let error as APIError: self = error
        case is CancellationError: self = .cancelled
        case let error as HTTPClientError where error == .cancelled || error == .alreadyShutdown: self = .cancelled
        case let error as HTTPClientError where error == .readTimeout: self = .silent
        case let error as HTTPClientError where error == .connectTimeout: self = .unreachable("\(error)")
        case is NIOConnectionError: self = .unreachable("\(error)")
        default: self = .transport("\(error)")
        }
    }
}
