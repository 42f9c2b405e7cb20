internal import APIServerForTests
internal import ArgumentParser
internal import Synchronization

struct FillCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "fill",
        abstract: "Create a namespace with Services and an EndpointSlice for each.",
        discussion: """
            Every Service has a cluster IP and the port 80, named http, with the target port 8080. Existing objects are kept.

            EXAMPLE
              apiserver fill --kubeconfig /run/api/kubeconfig --namespace big --services 5000 --endpoints 10
              apiserver fill --print --namespace big --services 5000 >big.json && apiserver serve --load big.json
            """)

    @OptionGroup var population: Population

    @Option(help: ArgumentHelp("Path to the kubeconfig file.", valueName: "file"))
    var kubeconfig: String?

    @Flag(help: "Write one JSON List to standard output instead.")
    var print = false

    func validate() throws {
        guard print || kubeconfig != nil else { throw ValidationError("--kubeconfig or --print is required") }
    }

    func run() async throws {
        guard let kubeconfig, !print else { return try Output.write(list.bytes) }
        var options = ClusterOptions()
        options.kubeconfig = kubeconfig
        let population = population
        let done = Mutex(0)
        try await options.withClient { cluster in
            try await cluster.create("namespaces", namespace: nil, population.namespaceObject)
            try await ClusterClient.each(0..<population.services) { number in
                try await cluster.create("services", namespace: population.namespace, population.service(number))
                try await cluster.create("endpointslices", namespace: population.namespace, population.slice(number))
                let count = done.withLock { done in
                    done += 1
                    return done
                }
                if count % 500 == 0 || count == population.services { try Output.report("\(count) of \(population.services) Services") }
            }
        }
    }

    private var list: JSON {
        let objects = (0..<population.services).flatMap { [population.service($0), population.slice($0)] }
        return ["kind": "List", "apiVersion": "v1", "items": .array([population.namespaceObject] + objects)]
    }
}
