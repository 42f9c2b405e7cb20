internal import APIServerForTests
internal import ArgumentParser

struct ChurnCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "churn",
        abstract: "Change the endpoints of EndpointSlices at a rate.",
        discussion: """
            In turn a slice gets an endpoint more, one less, and one for another; the annotation endpoints.kubernetes.io/last-change-trigger-time says \
            when. Prints how many changes there were, and at which rate.

            EXAMPLE
              apiserver churn --kubeconfig /run/api/kubeconfig --namespace big --rate 200 --seconds 60
            """)

    @OptionGroup var cluster: ClusterOptions

    @Option(help: "Whose EndpointSlices.")
    var namespace: String

    @Option(help: "Changes a second.")
    var rate = 10.0

    @Option(help: "For how long.")
    var seconds = 10.0

    @Option(help: "What the changes are drawn from; the same for the same.")
    var seed: UInt64 = 1

    @Option(help: ArgumentHelp("Where new endpoints' addresses are from.", valueName: "cidr"))
    var endpointRange: AddressRange = Population.endpointRange

    @Option(help: "The Node that new endpoints are on.")
    var node = "node1"

    @Flag(help: "Send merge patches instead of whole objects.")
    var patch = false

    func validate() throws {
        guard rate > 0, seconds > 0 else { throw ValidationError("--rate and --seconds have to be above 0") }
    }

    /// Requests under way: more of them do not make a server faster.
    private static let atOnce = 64

    func run() async throws {
        try await cluster.talk { cluster in
            let slices = try await cluster.list("endpointslices", namespace: namespace)
            guard !slices.isEmpty else { throw ValidationError("no EndpointSlices in \(namespace)") }
            let churn = Churn(slices, range: endpointRange, node: node, seed: seed)
            let start = ContinuousClock.now
            let count = try await run(churn, on: cluster, since: start)
            let elapsed = (ContinuousClock.now - start) / .seconds(1)
            try Output.say("\(count) changes in \(rounded(elapsed)) s, \(rounded(Double(count) / elapsed)) a second")
        }
    }

    /// Returns how many changes were made.
    private func run(_ churn: Churn, on cluster: ClusterClient, since start: ContinuousClock.Instant) async throws -> Int {
        var churn = churn
        var count = 0
        try await withThrowingTaskGroup(of: Void.self) { group in
            var running = 0
            while true {
                // By the clock and not by the last change, so that what took long is made up for.
                let due = Double(count) / rate
                guard due < seconds, ContinuousClock.now - start < .seconds(seconds) else { break }
                try await Task.sleep(until: start + .seconds(due), clock: .continuous)
                if running == ChurnCommand.atOnce { try await group.next() } else { running += 1 }
                let change = churn.next()
                group.addTask { try await send(change, to: cluster) }
                count += 1
            }
            try await group.waitForAll()
        }
        return count
    }

    private func send(_ change: Churn.Change, to cluster: ClusterClient) async throws {
        if patch {
            try await cluster.patch("endpointslices", namespace: namespace, name: change.name, change.patch)
        } else {
            try await cluster.replace("endpointslices", namespace: namespace, name: change.name, change.slice)
        }
    }

    private func rounded(_ number: Double) -> String { "\((number * 10).rounded() / 10)" }
}
