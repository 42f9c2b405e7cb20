import Kubernetes
import Model
import Testing

@testable import SyncLoop

private func node(_ address: String? = nil, podCIDRs: [String] = []) -> Node {
    Node(
        metadata: ObjectMeta(name: "node1"), podCIDRs: podCIDRs,
        addresses: address.map { [NodeAddress(type: "InternalIP", address: $0)] } ?? [])
}

private func at(_ seconds: Int) -> Timestamp { Timestamp(nanoseconds: 0).advanced(by: .seconds(seconds)) }

@Suite struct `The wait for the Node` {
    @Test func `ends once the Node has an address`() {
        var wait = NodeWait(needsPodCIDRs: false)
        #expect(wait.evaluate(nil, at: at(100)) == .wait(until: at(130)))
        #expect(wait.evaluate(node(), at: at(110)) == .wait(until: at(130)))
        #expect(wait.evaluate(node("192.0.2.1"), at: at(111)) == .ready)
    }

    @Test func `ends after 30 seconds without it`() {
        var wait = NodeWait(needsPodCIDRs: false)
        _ = wait.evaluate(nil, at: at(0))
        #expect(wait.evaluate(nil, at: at(29)) == .wait(until: at(30)))
        #expect(wait.evaluate(nil, at: at(30)) == .continueWithout(missing: "Node"))
        #expect(wait.evaluate(node(), at: at(31)) == .continueWithout(missing: "status.addresses"))
    }

    @Test func `lasts five minutes if pod CIDRs are required, and ends the program without them`() {
        var wait = NodeWait(needsPodCIDRs: true)
        #expect(wait.evaluate(node("192.0.2.1"), at: at(0)) == .wait(until: at(300)))
        #expect(wait.evaluate(node("192.0.2.1", podCIDRs: ["10.244.1.0/24"]), at: at(299)) == .ready)
        #expect(wait.evaluate(node("192.0.2.1"), at: at(300)) == .timedOut(missing: "spec.podCIDRs"))
        #expect(wait.evaluate(nil, at: at(300)) == .timedOut(missing: "Node"))
    }

    @Test func `continues without addresses if the Node has pod CIDRs`() {
        var wait = NodeWait(needsPodCIDRs: true)
        #expect(wait.evaluate(node(podCIDRs: ["10.244.1.0/24"]), at: at(0)) == .wait(until: at(30)))
        #expect(wait.evaluate(node(podCIDRs: ["10.244.1.0/24"]), at: at(30)) == .continueWithout(missing: "status.addresses"))
    }
}
