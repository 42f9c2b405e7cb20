import Kubernetes
import Model
import Testing

@Suite struct `An endpoint` {
    private let addresses = [IPAddress(v4: 1), IPAddress(v4: 2)]

    @Test(arguments: [nil, false, true] as [Bool?]) func `keeps conditions that are not set apart from those that are false`(value: Bool?) {
        let first = Endpoint(addresses: [], ready: value)
        #expect(first.ready == value && first.serving == nil && first.terminating == nil)
        var other = Endpoint(addresses: [], ready: true, serving: true, terminating: true)
        other.serving = value
        #expect(other.ready == true && other.serving == value && other.terminating == true)
        other.terminating = value
        #expect(other == Endpoint(addresses: [], ready: true, serving: value, terminating: value))
    }

    @Test func `keeps all its addresses and hints`() {
        var endpoint = Endpoint(addresses: addresses, zoneHints: ["a", "b"], nodeHints: ["n"])
        #expect(endpoint.addresses == addresses && endpoint.address == addresses.first)
        #expect(endpoint.zoneHints == ["a", "b"] && endpoint.nodeHints == ["n"])
        (endpoint.zoneHints, endpoint.nodeHints) = ([], [])
        #expect(endpoint == Endpoint(addresses: addresses) && !endpoint.hasHints)
        endpoint.addresses = []
        #expect(endpoint == Endpoint(addresses: []) && endpoint.address == nil)
    }

    @Test func `takes 64 bytes`() {
        #expect(MemoryLayout<Endpoint>.stride == 64)
    }
}
