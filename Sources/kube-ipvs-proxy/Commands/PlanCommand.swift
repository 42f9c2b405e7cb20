internal import ArgumentParser
internal import FoundationEssentials
internal import Model
internal import NodeProxy
internal import Reconciler

struct PlanCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "plan",
        abstract: "Print the changes that a sync would make now, as equivalent commands, without applying them.",
        discussion: """
            EXAMPLES
              kube-ipvs-proxy plan --manifests deploy/examples --hostname-override node1
              kube-ipvs-proxy plan --manifests deploy/examples -o json
              kube-ipvs-proxy plan --kubeconfig /etc/kubernetes/kube-proxy.conf --cluster-cidr 10.244.0.0/16
            """)

    enum Format: String, ExpressibleByArgument, CaseIterable { case text, json }

    @OptionGroup var options: ProxyOptions

    @Option(name: [.short, .long], help: "Output format: text or json.")
    var output = Format.text

    func run() async throws {
        try await reportingFailure {
            let start = try options.start(quiet: true)
            let assembly = try await Assembly(start.proxy, .reading, start.logger)
            let proxy = assembly.proxy()
            let (problems, plan) = try await assembly.input.closing {
                (try await assembly.loadOnce(into: proxy), try await proxy.plan())
            }
            switch output {
            case .text: plan.operations.forEach { print($0.command) }
            case .json:
                var steps: [PlanDocument.Step] = []
                for operation in plan.operations {
                    let origin = await proxy.origin(of: operation)
                    steps.append(.init(operation: operation.kind.rawValue, command: operation.command, service: origin?.description))
                }
                print(try PlanDocument(operations: steps).json)
            }
            if !problems.isEmpty { throw ExitCode.failure }
        }
    }
}

/// A plan as JSON; `apiVersion` changes when a field is removed or changes its meaning.
struct PlanDocument: Encodable {
    struct Step: Encodable {
        /// Such as `addRealServer`.
        var operation: String
        var command: String
        /// The Service port, such as `default/web:http (ClusterIP)`.
        var service: String? = nil
    }

    let apiVersion = "kube-ipvs-proxy/v1alpha1"
    let kind = "Plan"
    var operations: [Step]

    init(operations: [Step]) { self.operations = operations }

    private enum CodingKeys: CodingKey { case apiVersion, kind, operations }

    var json: String {
        get throws {
            let encoder = JSONEncoder()
            encoder.outputFormatting = [.prettyPrinted, .sortedKeys, .withoutEscapingSlashes]
            return String(decoding: try encoder.encode(self), as: UTF8.self)
        }
    }
}
