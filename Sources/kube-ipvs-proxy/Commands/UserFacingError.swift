internal import Glibc
internal import KernelDataplane
internal import KubeProxyConfiguration
internal import Kubernetes
internal import KubernetesAPI
internal import NodeProxy
internal import StatusServer
internal import SystemCalls

/// An error that the user can fix; its one-line description is sufficient.
protocol UserFacingError: Error, CustomStringConvertible {}

extension AccessError: UserFacingError {}
extension Assembly.ClusterReadTimeout: UserFacingError {}
extension ConfigurationChanged: UserFacingError {}
extension ConfigurationError: UserFacingError {}
extension DataplaneError: UserFacingError {}
extension ListenError: UserFacingError {}
extension NodeProxyError: UserFacingError {}
extension ProxySocketError: UserFacingError {}
extension StartConfigurationError: UserFacingError {}
extension StateDirectory.Ambiguous: UserFacingError {}
extension StatusExplainCommand.Unknown: UserFacingError {}
extension Successor.Refusal: UserFacingError {}
extension WatchedFile.Unreadable: UserFacingError {}

/// Exits with one line on standard error if `body` throws an error that the user can fix.
func reportingFailure(_ body: () async throws -> Void) async throws {
    do {
        try await body()
    } catch let error as StatusCommand.NoSuchService {
        fail("\(error)")
    } catch let error as any UserFacingError {
        fail("Error: \(error)")
    }
}

/// Writes a message to standard error and exits with 1.
func fail(_ message: String) -> Never {
    warn(message)
    exit(1)
}

/// Writes a line to standard error.
func warn(_ message: String) {
    // If this fails, there is no other output to report it on.
    _ = unsafe Array("\(message)\n".utf8).withUnsafeBytes { unsafe write(STDERR_FILENO, $0.baseAddress, $0.count) }
}
