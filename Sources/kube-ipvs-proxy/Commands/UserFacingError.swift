internal import Glibc
internal import KernelDataplane
internal import KubeProxyConfiguration
internal import Kubernetes
internal import KubernetesAPI
internal import NodeProxy
internal import StatusServer
internal import SystemCalls

/// An error that a person can mend: its one line says what is wrong, and there is no more to say.
protocol MendableError: Error, CustomStringConvertible {}

extension AccessError: MendableError {}
extension Assembly.ClusterUnread: MendableError {}
extension ConfigurationChanged: MendableError {}
extension ConfigurationError: MendableError {}
extension DataplaneError: MendableError {}
extension ListenError: MendableError {}
extension NodeProxy.Failure: MendableError {}
extension ProxySocket.Failure: MendableError {}
extension StartConfiguration.Failure: MendableError {}
extension StateDirectory.Ambiguous: MendableError {}
extension StatusExplainCommand.Unknown: MendableError {}
extension WatchedFile.Unreadable: MendableError {}

/// Ends the program with one line to standard error where something that a person can mend is wrong.
func reportingFailure(_ body: () async throws -> Void) async throws {
    do {
        try await body()
    } catch let error as StatusCommand.NoSuchService {
        fail("\(error)")
    } catch let error as any MendableError {
        fail("Error: \(error)")
    }
}

/// Says why on standard error and exits with 1.
func fail(_ message: String) -> Never {
    warn(message)
    exit(1)
}

/// Writes a line to standard error.
func warn(_ message: String) {
    // There is nobody left to tell if this fails.
    _ = unsafe Array("\(message)\n".utf8).withUnsafeBytes { unsafe write(STDERR_FILENO, $0.baseAddress, $0.count) }
}
