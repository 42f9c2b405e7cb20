internal import AsyncHTTPClient
internal import NIOPosix

/// Why a request to the API server failed.
public enum APIError: Error, Hashable, Sendable, CustomStringConvertible {
    /// The server returned an error.
    case status(APIStatus)
    /// There are no credentials to send with the request, or no usable certificates.
    case access(AccessError)
    /// The connection could not be established: refused, timed out, or no such host.
    case unreachable(String)
    /// The connection failed before the response was complete.
    case transport(String)
    /// No data arrived within the read timeout.
    case timedOut
    /// The response is not in the expected format.
    case unreadable(String)
    /// The task was cancelled or the client closed.
    case cancelled

    public var description: String {
        switch self {
        case .status(let status): status.description
        case .access(let error): error.description
        case .unreachable(let message), .transport(let message): message
        case .timedOut: "timed out waiting for data"
        case .unreadable(let message): "unreadable response: \(message)"
        case .cancelled: "cancelled"
        }
    }
}

extension APIError {
    /// Classifies an error of the HTTP client.
    init(transport error: any Error) {
        switch error {
        case let error as APIError: self = error
        case is CancellationError: self = .cancelled
        case let error as HTTPClientError where error == .cancelled || error == .alreadyShutdown: self = .cancelled
        case let error as HTTPClientError where error == .readTimeout: self = .timedOut
        case let error as HTTPClientError where error == .connectTimeout: self = .unreachable("\(error)")
        case is NIOConnectionError: self = .unreachable("\(error)")
        default: self = .transport("\(error)")
        }
    }
}
