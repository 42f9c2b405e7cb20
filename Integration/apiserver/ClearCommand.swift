internal import ArgumentParser
internal import KubernetesAPI

struct ClearCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "clear",
        abstract: "Delete a namespace and its contents.",
        discussion: """
            EXAMPLE
              apiserver clear --kubeconfig /run/api/kubeconfig --namespace big
            """)

    @OptionGroup var cluster: ClusterOptions

    @Option(help: "The namespace to delete.")
    var namespace: String

    func run() async throws {
        let namespace = namespace
        try await cluster.withClient { cluster in
            do {
                _ = try await cluster.client.send(APIRequest(.delete, "/api/v1/namespaces/\(namespace)"))
            } catch APIError.status(let status) where status.code == 404 {
                try Output.report("no namespace \(namespace)")
            }
        }
    }
}
