internal import APIServerForTests
internal import FoundationEssentials

/// EndpointSlices that change: in turn, an endpoint is added, removed, and replaced.
struct Churn {
    /// A slice after a change, and the change as a merge patch.
    struct Change: Sendable {
        var name: String
        var slice: JSON
        var patch: JSON
    }

    private var slices: [JSON]
    private let range: AddressRange
    private let node: String
    private var generator: Generator
    private var count = 0

    /// The maximum size of a slice.
    private static let maximumEndpoints = 100

    init(_ slices: [JSON], range: AddressRange, node: String, seed: UInt64) {
        self.slices = slices
        self.range = range
        self.node = node
        generator = Generator(seed: seed)
    }

    mutating func next() -> Change {
        let index = Int.random(in: slices.indices, using: &generator)
        var endpoints = slices[index]["endpoints"]?.items ?? []
        count += 1
        switch count % 3 {
        case 1 where endpoints.count < Churn.maximumEndpoints: endpoints.append(fresh(besides: endpoints))
        case 2 where endpoints.count > 1: endpoints.remove(at: Int.random(in: endpoints.indices, using: &generator))
        default:
            let new = fresh(besides: endpoints)
            if endpoints.isEmpty { endpoints = [new] } else { endpoints[Int.random(in: endpoints.indices, using: &generator)] = new }
        }
        let patch: JSON = [
            "metadata": ["annotations": ["endpoints.kubernetes.io/last-change-trigger-time": .string(Churn.timestamp(.now))]],
            "endpoints": .array(endpoints),
        ]
        slices[index] = slices[index].merging(patch)
        // Replaces any version that the server has.
        slices[index]["metadata"]?["resourceVersion"] = nil
        return Change(name: slices[index]["metadata"]?["name"]?.text ?? "", slice: slices[index], patch: patch)
    }

    private mutating func fresh(besides endpoints: [JSON]) -> JSON {
        let taken = Set(endpoints.flatMap { $0["addresses"]?.items ?? [] }.compactMap(\.text))
        var address: String
        repeat { address = range[Int.random(in: 1..<Int(range.count), using: &generator)] } while taken.contains(address)
        return Population.endpoint(address, node: node)
    }

    /// RFC 3339 with nanoseconds.
    static func timestamp(_ date: Date) -> String {
        let time = date.timeIntervalSince1970
        let nanoseconds = "\(Int((time - time.rounded(.down)) * 1e9))"
        let seconds = Date(timeIntervalSince1970: time.rounded(.down)).formatted(.iso8601)
        return "\(seconds.dropLast()).\(String(repeating: "0", count: 9 - nanoseconds.count))\(nanoseconds)Z"
    }
}
