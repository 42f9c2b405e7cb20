import Kubernetes
import Model
import Testing

@testable import KubernetesAPI

/// The requests for Events and their times, without clock and server.
struct EventQueueTests {
    private var run = EventRun()

    @Test mutating func `An Event is created once`() {
        run.record(.note("a"))
        #expect(run.advance(by: .seconds(3600)) == ["create Starting node1 1"])
        #expect(run.queue.count == 0)
    }

    @Test mutating func `Events that differ in more than the note are separate`() {
        let node = ObjectReference.node("node1")
        run.record(ClusterEvent(.normal, reason: "A", action: "X", regarding: node, note: "1"))
        run.record(ClusterEvent(.normal, reason: "A", action: "X", regarding: node, note: "2"))
        run.record(ClusterEvent(.warning, reason: "A", action: "X", regarding: node))
        run.record(ClusterEvent(.normal, reason: "B", action: "X", regarding: node))
        run.record(ClusterEvent(.normal, reason: "A", action: "Y", regarding: node))
        run.record(ClusterEvent(.normal, reason: "A", action: "X", regarding: .node("node2")))
        #expect(run.queue.count == 5)
        #expect(
            run.advance(by: .zero)
                == ["create A node1 2", "create A node1 1", "create B node1 1", "create A node1 1", "create A node2 1"])
    }

    @Test mutating func `The second occurrence is reported immediately, later ones when the series has ended`() {
        run.record(.note("a"))
        #expect(run.advance(by: .seconds(10)) == ["create Starting node1 1"])
        run.record(.note("b"))
        #expect(run.advance(by: .seconds(10)) == ["patch Starting node1 2"])
        for _ in 0..<50 { run.record(.note("c")) }
        #expect(run.advance(by: .seconds(359)) == [])
        #expect(run.advance(by: .seconds(1)) == ["patch Starting node1 52"])
        #expect(run.queue.count == 0)
    }

    @Test mutating func `A continuing series is reported every half hour`() {
        var sent: [String] = []
        for _ in 0..<(2 * 3600) {
            run.record(.note("a"))
            sent += run.advance(by: .seconds(1))
        }
        #expect(sent.count == 5)
        #expect(sent.prefix(3) == ["create Starting node1 1", "patch Starting node1 2", "patch Starting node1 1801"])
    }

    @Test mutating func `After six minutes without an occurrence a new Event with another name is created`() {
        run.record(.note("a"))
        _ = run.advance(by: .seconds(359))
        run.record(.note("a"))
        _ = run.advance(by: .seconds(361))
        run.record(.note("a"))
        #expect(run.advance(by: .seconds(1)) == ["create Starting node1 1"])
        #expect(Set(run.deliveries.map(\.series.id)).count == 2)
    }

    @Test mutating func `Occurrences during a request are reported with the next one`() {
        run.record(.note("a"))
        let first = run.take()
        run.record(.note("a"))
        run.record(.note("a"))
        run.queue.delivered(first, at: run.now)
        #expect(run.advance(by: .zero) == ["patch Starting node1 3"])
    }

    @Test mutating func `An object may have 25 different Events at once, and one more every five minutes`() {
        for number in 0..<40 { run.record(.about("web", reason: "R\(number)")) }
        run.record(.about("other"))
        #expect(run.queue.count == 26)
        #expect(run.queue.takeDropped(at: run.now) == 15)
        _ = run.advance(by: .seconds(3000))
        for number in 0..<40 { run.record(.about("web", reason: "S\(number)")) }
        #expect(run.queue.count == 10)
    }

    @Test mutating func `The queue is limited whatever the number of objects, with room reserved for the node`() {
        for number in 0..<20_000 { run.record(.about("web\(number)")) }
        #expect(run.queue.count == 1000)
        run.record(.note("a"))
        #expect(run.queue.count == 1001)
        #expect(run.advance(by: .zero).first == "create Starting node1 1")
        #expect(run.queue.takeDropped(at: run.now) == 19_000)
    }

    @Test mutating func `Requests are rate-limited`() {
        for number in 0..<100 { run.record(.about("web\(number)")) }
        #expect(run.advance(by: .zero).count == 10)
        #expect(run.advance(by: .seconds(20)).count == 20)
        #expect(run.advance(by: .seconds(1000)).count == 70)
    }

    @Test mutating func `Requests with temporary failures are sent up to twelve times, with increasing delays`() {
        run.record(.note("a"))
        run.answer = { _ in .transient(retryAfter: nil) }
        #expect(run.advance(by: .seconds(600)).count == 12)
        #expect(run.times.last.map { $0 > .seconds(60) } == true)
        #expect(run.queue.takeDropped(at: run.now) == 1)
        #expect(run.queue.count == 0)
    }

    @Test mutating func `No request is sent before Retry-After`() {
        run.record(.note("a"))
        run.answer = { _ in .transient(retryAfter: .seconds(90)) }
        #expect(run.advance(by: .seconds(89)).count == 1)
        run.answer = { _ in nil }
        #expect(run.advance(by: .seconds(1)) == ["create Starting node1 1"])
    }

    @Test mutating func `An Event that always fails does not block others`() {
        run.answer = { $0.key.reason == "Poison" ? .transient(retryAfter: nil) : nil }
        run.record(.about("web", reason: "Poison"))
        for number in 0..<5 { run.record(.about("web\(number)")) }
        #expect(run.advance(by: .seconds(5)).filter { !$0.contains("Poison") }.count == 5)
    }

    @Test mutating func `A continuing Event that the server refuses is sent again at most every half hour`() {
        run.answer = { _ in .refused }
        var sent: [String] = []
        for _ in 0..<59 {
            run.record(.note("a"))
            sent += run.advance(by: .seconds(60))
        }
        #expect(sent.count == 2)
        #expect(run.queue.takeDropped(at: run.now) == nil)
        // At most one more attempt after half an hour.
        #expect(run.advance(by: .seconds(360)).count <= 1)
        #expect(run.queue.count == 0)
    }

    @Test mutating func `An Event that the server no longer has is created again with its count`() {
        run.record(.note("a"))
        _ = run.advance(by: .seconds(1))
        run.answer = { $0.method == .patch ? .missing : nil }
        run.record(.note("a"))
        #expect(run.advance(by: .seconds(1)) == ["patch Starting node1 2", "create Starting node1 2"])
        run.answer = { _ in nil }
        for _ in 0..<3 { run.record(.note("a")) }
        #expect(run.advance(by: .seconds(400)) == ["patch Starting node1 5"])
    }

    @Test mutating func `Unreported counts are sent at the end`() {
        for _ in 0..<2 {
            run.record(.note("a"))
            _ = run.advance(by: .seconds(1))
        }
        for _ in 0..<3 { run.record(.note("a")) }
        run.record(.about("web"))
        run.queue.end()
        #expect(Set(run.advance(by: .zero)) == ["patch Starting node1 5", "create Invalid web 1"])
        #expect(run.queue.next(at: run.now) == .wait(nil))
    }

    @Test mutating func `An object with an invalid namespace gets no Event`() {
        for namespace in ["../../nodes", "A", "a/b", "-", String(repeating: "a", count: 64), "a?b", "a.b"] {
            run.record(.about("web", namespace: namespace))
        }
        #expect(run.queue.count == 0)
    }
}
