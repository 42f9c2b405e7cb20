import Glibc
import Kubernetes
import KubernetesAPI
import Logging
import Manifests
import Model
import Reconciler
import Translation

/// Measures the memory and CPU time of the cluster state, its translation and its plan, in memory and without a kernel.
///
///     bench-state [all | bytes | plan | change | growth]...
///     bench-state manifests FOLDER
///
/// Prints a line `name value` for each figure: bytes, or CPU seconds of user and system time. Objects are decoded from protobuf lists, as
/// from an API server. CPU times mean something only in a release build.
@main
enum BenchState {
    static func main() throws {
        let parts = Set(CommandLine.arguments.dropFirst().isEmpty ? ["all"] : Array(CommandLine.arguments.dropFirst()))
        if parts.contains("manifests"), let folder = CommandLine.arguments.last {
            return try manifests(folder)
        }
        func includes(_ part: String) -> Bool { parts.contains(part) || parts.contains("all") }
        if includes("bytes") { try bytes() }
        if includes("plan") {
            try plan("10000x10", Population(services: 10_000, endpoints: 10))
            try plan("50000x1", Population(services: 50_000, endpoints: 1))
        }
        if includes("change") {
            for services in [100, 10_000] { try change("\(services)x10", Population(services: services, endpoints: 10)) }
            try change("1x20000", Population(services: 1, endpoints: 20_000))
        }
        if includes("growth") { try growth() }
    }

    static func report(_ name: String, _ value: Double) {
        let whole = Int(value.rounded())
        let number = value == Double(whole) ? "\(whole)" : "\(Double(Int(value * 1_000_000)) / 1_000_000)"
        // Unbuffered, so that a failure loses no figure.
        var line = "\(name) \(number)\n"
        _ = line.withUTF8 { write(STDOUT_FILENO, $0.baseAddress, $0.count) }
    }

    // MARK: Bytes

    /// The bytes of each endpoint and each Service: differences of the heap in use between populations. Dictionaries are as full with 5,000
    /// Services as with 10,000.
    private static func bytes() throws {
        let (base, endpoints, services) = (
            Population(services: 5_000, endpoints: 10), Population(services: 5_000, endpoints: 30),
            Population(services: 10_000, endpoints: 10)
        )
        for stage in State.Stage.allCases {
            let sizes = try [base, endpoints, services].map { population in
                let before = Memory.inUse
                let state = try State(population, upTo: stage)
                return withExtendedLifetime(state) { Double(Memory.inUse - before) }
            }
            let endpoint = (sizes[1] - sizes[0]) / Double(5_000 * 20)
            report("bytes_per_endpoint_\(stage)", endpoint)
            report("bytes_per_service_\(stage)", (sizes[2] - sizes[0]) / 5_000 - 10 * endpoint)
        }
        let state = try State(Population(services: 10_000, endpoints: 10), upTo: .applied)
        withExtendedLifetime(state) {
            report("heap_bytes_10000x10", Double(Memory.inUse))
            report("resident_bytes_10000x10", Double(Memory.resident))
            Memory.trim()
            report("resident_bytes_10000x10_trimmed", Double(Memory.resident))
        }
    }

    // MARK: CPU time

    /// Reads manifests, including validation, defaults and the tasks of a control plane.
    private static func manifests(_ folder: String) throws {
        let directory = ManifestDirectory(folder, logger: Logger(label: "bench") { _ in SwiftLogNoOpLogHandler() })
        var problems: [SourceProblem] = []
        report("cpu_manifests", cpu { problems = directory.load() })
        guard problems.isEmpty else { throw BenchError(description: "\(problems[0])") }
        report("objects_manifests", Double(directory.feed.take().changes.count))
    }

    private static func plan(_ name: String, _ population: Population) throws {
        var state = try State(population, upTo: .cluster)
        report("cpu_translate_\(name)", cpu { state.translate() })
        var operations: [Operation] = []
        report("cpu_plan_\(name)", cpu { operations = state.plan() })
        report("operations_\(name)", Double(operations.count))
        report("cpu_record_\(name)", cpu { state.apply(operations) })
        report("cpu_plan_again_\(name)", cpu { operations = state.planEverything() })
        guard operations.isEmpty else { throw BenchError(description: "the second plan is not empty: \(operations.count)") }
    }

    /// One endpoint that is not ready, then ready again.
    private static func change(_ name: String, _ population: Population) throws {
        var state = try State(population, upTo: .applied)
        let rounds = population.endpoints > 1_000 ? 50 : 2_000
        var times = (absorb: 0.0, translate: 0.0, plan: 0.0, record: 0.0)
        for round in 0..<rounds {
            let slice = try population.slice(
                of: round / 2 * 7919 % population.services, without: round % 2 == 0 ? 0 : nil, version: round + 2)
            times.absorb += cpu { state.absorb(slice) }
            times.translate += cpu { state.translate() }
            var operations: [Operation] = []
            times.plan += cpu { operations = state.plan() }
            guard operations.count == 1 else { throw BenchError(description: "expected one operation, not \(operations)") }
            times.record += cpu { state.apply(operations) }
            state.finishDrains()
        }
        report("cpu_change_\(name)", (times.absorb + times.translate + times.plan + times.record) / Double(rounds))
        report("cpu_change_absorb_\(name)", times.absorb / Double(rounds))
        report("cpu_change_translate_\(name)", times.translate / Double(rounds))
        report("cpu_change_plan_\(name)", times.plan / Double(rounds))
        report("cpu_change_record_\(name)", times.record / Double(rounds))
    }

    // MARK: Growth

    /// A million changes of endpoints: in turn a replaced pod, on nodes that come and go, and a rewritten slice without a change.
    private static func growth() throws {
        let population = Population(services: 1_000, endpoints: 10)
        var state = try State(population, upTo: .applied)
        var before = (heap: 0, resident: 0)
        var count = 0
        for change in 0..<1_020_000 {
            // The first changes fill caches and arrays.
            if change == 20_000 { before = (Memory.inUse, Memory.resident) }
            let generation = change / population.services / 2
            state.absorb(
                try population.slice(of: change % population.services, generation: generation, version: change + 2))
            if change % 10 == 9 {
                state.translate()
                let operations = state.plan()
                count += operations.count
                state.apply(operations)
                state.finishDrains()
            }
        }
        // Each replaced pod is a real server that is added and another whose weight becomes 0.
        guard count >= 1_000_000 else { throw BenchError(description: "only \(count) operations") }
        report("operations_1000000_changes", Double(count))
        report("heap_growth_bytes_1000000_changes", Double(Memory.inUse - before.heap))
        report("resident_growth_bytes_1000000_changes", Double(Memory.resident - before.resident))
    }

    private static func cpu(_ body: () -> Void) -> Double {
        let start = Memory.cpuSeconds
        body()
        return Memory.cpuSeconds - start
    }
}

struct BenchError: Error, CustomStringConvertible {
    var description: String
}
