import Kubernetes
import Model

@testable import KubernetesAPI
@testable import Translation

extension FuzzTarget {
    /// The stream of a watch. The first byte chooses the encoding and the kind, the second how the stream is cut into chunks.
    static let watch = FuzzTarget("watch") { bytes in
        var choices = Choices(bytes)
        let kind = choices.byte()
        let cut = Int(choices.byte())
        let encoding = ContentType.allCases[Int(kind) % 2]
        switch kind / 2 % 4 {
        case 0: try watch(Service.self, encoding, choices.rest, cut)
        case 1: try watch(EndpointSlice.self, encoding, choices.rest, cut)
        case 2: try watch(Node.self, encoding, choices.rest, cut)
        default: try watch(OtherNode.self, encoding, choices.rest, cut)
        }
    }

    private static func watch<Object: Reflected>(
        _ type: Object.Type, _ encoding: ContentType, _ stream: ArraySlice<UInt8>, _ cut: Int
    ) throws {
        let whole = try events(type, encoding, [stream])
        // Where the stream is cut changes nothing.
        let pieces = try events(type, encoding, [stream.prefix(cut), stream.dropFirst(cut).prefix(cut), stream.dropFirst(2 * cut)])
        try require(whole.events == pieces.events, "\(whole.events) becomes \(pieces.events) in pieces of \(cut) bytes")
        try require(whole.problems == pieces.problems, "\(whole.problems) becomes \(pieces.problems) in pieces of \(cut) bytes")
        try require(whole.failure == pieces.failure, "\(whole.failure ?? "success") becomes \(pieces.failure ?? "success")")
        var objects: [Object] = []
        for event in whole.events {
            switch event {
            case .added(let found), .modified(let found), .deleted(let found): objects.append(found.object)
            case .error(let status): try requirePrintable(status.description, "a Status")
            case .bookmark: break
            }
        }
        try FuzzedCluster.translate(objects.map { Object.change($0.namespacedName, $0) })
    }

    private static func events<Object: Reflected>(
        _ type: Object.Type, _ encoding: ContentType, _ chunks: [ArraySlice<UInt8>]
    ) throws -> (events: [WatchEvent<Object>], problems: [WireProblem], failure: String?) {
        var decoder = WatchDecoder<Object>(contentType: encoding, maximumFrameBytes: 1 << 20)
        var events: [WatchEvent<Object>] = []
        var problems: [WireProblem] = []
        for chunk in chunks {
            do {
                events += try decoder.feed(chunk)
                problems += decoder.problems
            } catch {
                break
            }
        }
        for problem in problems { try requirePrintable(problem.description, "a problem") }
        if let failure = decoder.failure { try requirePrintable(failure.description, "a failure") }
        return (events, problems, decoder.failure?.description)
    }

    /// The body of a response: a page of a list, or a Status.
    static let list = FuzzTarget("list") { bytes in
        var choices = Choices(bytes)
        let kind = choices.byte()
        let encoding = ContentType.allCases[Int(kind) % 2]
        let body = Array(choices.rest)
        switch kind / 2 % 4 {
        case 0: try list(Service.self, encoding, body)
        case 1: try list(EndpointSlice.self, encoding, body)
        case 2: try list(Node.self, encoding, body)
        default: try list(OtherNode.self, encoding, body)
        }
        if let status = WireDecoder<Service>.status(body, contentType: encoding) { try requirePrintable(status.description, "a Status") }
    }

    private static func list<Object: Reflected>(_ type: Object.Type, _ encoding: ContentType, _ body: [UInt8]) throws {
        let list: ObjectList<Object>
        do {
            list = try WireDecoder<Object>(contentType: encoding).list(body)
        } catch {
            try requirePrintable(error.description, "an error")
            return
        }
        for problem in list.problems { try requirePrintable(problem.description, "a problem") }
        try FuzzedCluster.translate(list.items.map { Object.change($0.object.namespacedName, $0.object) })
    }
}

/// Objects of an input, in a cluster with a node.
enum FuzzedCluster {
    /// Translates the cluster to the state of a kernel, which must stay possible after any change.
    static func translate(_ changes: [ClusterChange]) throws {
        guard !changes.isEmpty else { return }
        var cluster = ClusterState()
        var translation = Translation(TranslationSettings(nodeName: "node1"))
        let addresses = NodeAddresses([IPAddress(v4: 0xc0a8_0001)])
        for change in changes {
            cluster.apply(change)
            _ = translation.update(cluster.popDirtyServices(), of: cluster, addresses)
        }
        let desired = translation.desired
        for refusal in translation.refusedAddresses.values.joined() { try requirePrintable("\(refusal)", "a refusal") }
        for invalid in translation.invalidAnnotations.values.joined() { try requirePrintable("\(invalid)", "an annotation") }
        // The order of the changes does not matter.
        var whole = ClusterState()
        var other = Translation(TranslationSettings(nodeName: "node1"))
        for change in changes { whole.apply(change) }
        _ = other.update(whole.popDirtyServices(), of: whole, addresses)
        try require(other.desired == desired, "the state depends on whether the changes come together")
    }
}
