import Kubernetes
import Model
import Testing

@testable import KubernetesAPI

/// The combined state of all reflectors, step by step.
@Suite struct `The feed of an API server` {
    private let feed = ChangeFeed()
    private let progress: FeedProgress

    init() { progress = FeedProgress(feed, demand: OtherNodesDemand(linger: .seconds(60)), allowsExternalIP: { _ in true }) }

    private static let name = NamespacedName(namespace: "default", name: "web")

    private static func service(_ externalIPs: [String]) -> ClusterChange {
        .service(
            name,
            Service(
                metadata: ObjectMeta(name: "web", namespace: "default"), clusterIP: "10.96.0.10", clusterIPs: ["10.96.0.10"],
                externalIPs: externalIPs))
    }

    @Test func `is synced without the other Nodes if no Service needs them`() {
        progress.publish([Self.service([])], of: .services, isIncomplete: false)
        progress.listed(.services)
        #expect(!feed.take().synced)
        progress.listed(.endpointSlices)
        #expect(feed.take().synced)
    }

    @Test func `publishes a Service that needs the other Nodes only after reporting them as pending`() {
        let service = Self.service(["192.0.2.1"])
        progress.publish([service], of: .services, isIncomplete: false)
        #expect(feed.take().changes == [.otherNodes(.pending), service])
        progress.listed(.services)
        progress.listed(.endpointSlices)
        #expect(!feed.take().synced)
        progress.publish([.node("node2", nil)], of: .otherNodes, isIncomplete: false)
        progress.listed(.otherNodes)
        let batch = feed.take()
        #expect(batch.synced && batch.changes == [.node("node2", nil), .otherNodes(.known)])
        #expect(!progress.stopWaitingForOtherNodes(), "nothing waits for them anymore")
    }

    @Test func `stays synced when a Service needs the other Nodes later`() {
        progress.listed(.services)
        progress.listed(.endpointSlices)
        progress.publish([Self.service(["192.0.2.1"])], of: .services, isIncomplete: false)
        let batch = feed.take()
        #expect(batch.synced && batch.changes.first == .otherNodes(.pending))
    }

    @Test func `continues without the other Nodes until they are listed`() {
        progress.publish([Self.service(["192.0.2.1"])], of: .services, isIncomplete: false)
        progress.listed(.services)
        progress.listed(.endpointSlices)
        _ = feed.take()
        #expect(progress.stopWaitingForOtherNodes() && !progress.stopWaitingForOtherNodes())
        #expect(feed.take() == ChangeFeed.Batch(changes: [.otherNodes(.unavailable)], synced: true))
        progress.listed(.otherNodes)
        #expect(feed.take().changes == [.otherNodes(.known)])
    }

    @Test func `reports once that the other Nodes are pending, however often Services change, and again after a pause`() {
        progress.publish([Self.service(["192.0.2.1"])], of: .services, isIncomplete: false)
        progress.listed(.otherNodes)
        _ = feed.take()
        for addresses in [[], ["192.0.2.1"], ["192.0.2.2"]] {
            progress.publish([Self.service(addresses)], of: .services, isIncomplete: false)
            #expect(feed.take().changes == [Self.service(addresses)])
            #expect(!progress.releaseNodes(at: .seconds(0)))
        }
        progress.publish([.service(Self.name, nil)], of: .services, isIncomplete: false)
        #expect(!progress.releaseNodes(at: .seconds(0)) && progress.releaseNodes(at: .seconds(60)))
        _ = feed.take()
        progress.publish([Self.service(["192.0.2.1"])], of: .services, isIncomplete: false)
        #expect(feed.take().changes.first == .otherNodes(.pending))
    }

    @Test func `is incomplete if Services or slices are unreadable, but not if Nodes are`() {
        progress.publish([], of: .otherNodes, isIncomplete: true)
        progress.publish([], of: .node, isIncomplete: true)
        #expect(!feed.take().isIncomplete)
        progress.publish([], of: .services, isIncomplete: true)
        progress.publish([], of: .endpointSlices, isIncomplete: false)
        #expect(feed.take().isIncomplete)
        progress.publish([], of: .services, isIncomplete: false)
        #expect(!feed.take().isIncomplete)
    }
}
