internal import APIServerForTests
internal import ArgumentParser

struct ExpectedCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "expected",
        abstract: "Print the expected output of `ipvsadm -S -n | LC_ALL=C sort` for the cluster IPs.",
        discussion: """
            Derived from the JSON of the API in the simplest way: every port of every cluster IP, and every ready endpoint. Topology, traffic policies, \
            node ports and other addresses are not supported.

            EXAMPLE
              apiserver expected --kubeconfig /run/api/kubeconfig | diff - <(ipvsadm -S -n | LC_ALL=C sort)
            """)

    @OptionGroup var cluster: ClusterOptions

    @Option(help: "Only objects of this namespace.")
    var namespace: String?

    @Option(help: "The scheduler.")
    var scheduler = "rr"

    func run() async throws {
        try await cluster.withClient { cluster in
            let services = try await cluster.list("services", namespace: namespace)
            let slices = try await cluster.list("endpointslices", namespace: namespace)
            let lines = Set(Expectation(services: services, slices: slices, scheduler: scheduler).lines)
            // By bytes, like the C locale.
            let sorted = lines.sorted { $0.utf8.lexicographicallyPrecedes($1.utf8) }
            try Output.write(Array(sorted.map { "\($0)\n" }.joined().utf8))
        }
    }
}
