internal import AsyncHTTPClient
internal import NIOPosix

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
