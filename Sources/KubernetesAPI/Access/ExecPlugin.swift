/// A program that prints credentials (`users[].user.exec` of a kubeconfig, `client.authentication.k8s.io/v1`).
public struct ExecPlugin: Hashable, Sendable {
    /// `apiVersion`: what the program is asked to print.
    public var apiVersion: String
    /// `command`: a name to look for in PATH, or a path.
    public var command: String
    /// `args`
    public var arguments: [String]
    /// `env`, on top of this process's environment.
    public var environment: [String: String]
    /// `installHint`: shown when the program is not there.
    public var installHint: String?
    /// `provideClusterInfo`: whether the program is told which cluster it is for.
    public var providesClusterInfo: Bool

    /// The versions that are understood; they differ only in name.
    public static let apiVersions = ["client.authentication.k8s.io/v1", "client.authentication.k8s.io/v1beta1"]

    public init(
        apiVersion: String = ExecPlugin.apiVersions[0], command: String, arguments: [String] = [], environment: [String: String] = [:],
        installHint: String? = nil, providesClusterInfo: Bool = false
    ) {
        self.apiVersion = apiVersion
        self.command = command
        self.arguments = arguments
        self.environment = environment
        self.installHint = installHint
        self.providesClusterInfo = providesClusterInfo
    }
}
