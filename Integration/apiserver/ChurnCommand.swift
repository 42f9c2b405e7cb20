internal import APIServerForTests
internal import ArgumentParser

struct ChurnCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "churn",
        abstract: "Change the endpoints of EndpointSlices at a given rate.",
        discussion: """
            In turn, an endpoint is added, removed, and replaced; the annotation endpoints.kubernetes.io/last-change-trigger-time has the time of \
            the change. Prints the number and rate of changes.

            EXAMPLE
              apiserver churn --kubeconfig /run/api/kubeconfig --namespace big --rate 200 --seconds 60
            """)

    @OptionGroup var cluster: ClusterOptions

    @Option(help: "The namespace of the EndpointSlices.")
    var namespace: String

    @Option(help: "Changes per second.")
    var rate = 10.0

    @Option(help: "Duration in seconds.")
    var seconds = 10.0

    @Option(help: "Seed of the random changes; the same seed gives the same changes.")
    var seed: UInt64 = 1

    @Option(help: ArgumentHelp("Range of the addresses of new endpoints.", valueName: "cidr"))
    var endpointRange: AddressRange = Population.endpointRange

    @Option(help: "The Node of new endpoints.")
    var node = "node1"

    @Flag(help: "Send merge patches instead of complete objects.")
    var patch = false

    func validate() throws {
        guard rate > 0, seconds > 0 else { throw ValidationError("--rate and --seconds must be greater than 0") }
    }

    /// The maximum number of concurrent requests; more of them do not make a server faster.
    private static let atOnce = 64

    func run() async throws {
        try await cluster.withClient { cluster in
            let slices = try await cluster.list("endpointslices", namespace: namespace)
            guard !slices.isEmpty else { throw ValidationError("no EndpointSlices in \(namespace)") }
            let churn = Churn(slices, range: endpointRange, node: node, seed: seed)
            let start = ContinuousClock.now
            let count = try await run(churn, on: cluster, since: start)
            let elapsed = (ContinuousClock.now - start) / .seconds(1)
            try Output.say("\(count) changes in \(rounded(elapsed)) s, \(rounded(Double(count) / elapsed)) per second")
        }
    }

    /// Returns the number of changes made.
    private func run(_ churn: Churn, on cluster: ClusterClient, since start: ContinuousClock.Instant) async throws -> Int {
        var churn = churn
        var count = 0
        try await withThrowingTaskGroup(of: Void.self) { group in
            var running = 0
            while true {
                // Relative to the start and not to the last change, so that delays are caught up.
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
