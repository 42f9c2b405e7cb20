internal import ArgumentParser

@main
struct APIServer: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "apiserver",
        abstract: "In-memory API server for scenarios, and clients that fill, change and read one.",
        discussion: """
            `serve` is the server; it can be made to misbehave. The others are clients of any API server.

            EXAMPLE
              apiserver serve --address 10.99.0.1 --certificates /run/api --make-certificates &
              apiserver fill --kubeconfig /run/api/kubeconfig --namespace big --services 5000 --endpoints 10
              apiserver churn --kubeconfig /run/api/kubeconfig --namespace big --rate 200 --seconds 60
              apiserver expected --kubeconfig /run/api/kubeconfig
              apiserver clear --kubeconfig /run/api/kubeconfig --namespace big
            """,
        subcommands: [ServeCommand.self, FillCommand.self, ChurnCommand.self, ExpectedCommand.self, ClearCommand.self, MeasureCommand.self])
}
