import Model
import Testing

@testable import Kubernetes

@Suite struct ChangeFeedTests {
    let web = NamespacedName(namespace: "shop", name: "web")
    let node = Node(metadata: ObjectMeta(name: "n1"))

    func service(port: UInt16) -> Service {
        Service(metadata: ObjectMeta(name: "web", namespace: "shop"), ports: [ServicePort(port: port)])
    }

    @Test func `The last change of an object replaces all earlier ones, in the position of the first`() {
        let feed = ChangeFeed()
        feed.publish([.service(web, service(port: 1)), .node("n1", node)])
        feed.publish([.service(web, service(port: 2))])
        feed.publish([.service(web, nil), .endpointSlice(web, nil)])
        #expect(feed.take().changes == [.service(web, nil), .node("n1", node), .endpointSlice(web, nil)])
        #expect(feed.take() == ChangeFeed.Batch())
    }

    @Test func `The feed is reported as synced with the batch that completes it and from then on`() {
        let feed = ChangeFeed()
        feed.publish([.node("n1", node)])
        #expect(!feed.take().synced)
        feed.publish([.node("n1", nil)])
        feed.markSynced()
        #expect(feed.take() == ChangeFeed.Batch(changes: [.node("n1", nil)], synced: true))
        #expect(feed.take().synced)
    }

    @Test func `Any number of changes wakes the reader once, and none is lost`() async {
        let feed = ChangeFeed()
        for port in 1...1000 as ClosedRange<UInt16> { feed.publish([.service(web, service(port: port))]) }
        feed.publish([])
        var wakeups = feed.wakeups.makeAsyncIterator()
        let first: Void? = await wakeups.next()
        #expect(first != nil)
        #expect(feed.take().changes == [.service(web, service(port: 1000))])
        feed.markSynced()
        let second: Void? = await wakeups.next()
        #expect(second != nil)
        #expect(feed.take() == ChangeFeed.Batch(synced: true))
    }
}
