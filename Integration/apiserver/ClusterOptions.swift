internal import ArgumentParser
internal import KubernetesAPI
internal import Logging

/// The options of a client to find the API server.
struct ClusterOptions: ParsableArguments {
    @Option(help: ArgumentHelp("Path to the kubeconfig file.", valueName: "file"))
    var kubeconfig: String

    /// Runs `body` with a client, and closes the client afterwards.
    func withClient(_ body: @Sendable (ClusterClient) async throws -> Void) async throws {
        let access = try APIAccess.find(kubeconfig: kubeconfig, master: nil, environment: [:])
        let settings = APIClientSettings(contentType: .json, qps: -1, version: "test")
        let client = APIClient(access, settings: settings, logger: Logger(label: "apiserver") { _ in SwiftLogNoOpLogHandler() })
        do {
            try await body(ClusterClient(client: client))
        } catch {
            await client.close()
            throw error
        }
        await client.close()
    }
}
