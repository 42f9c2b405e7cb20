import Kubernetes
import Model
import Testing
import Translation

@Suite struct `Packets that rules drop` {
    /// A cluster with a Service whose rules drop packets for each reason.
    private let cluster = Cluster(
        [
            .loadBalancer("lb", "10.96.0.10", ingress: ["192.0.2.50"], ranges: ["203.0.113.0/24"], policy: .local)
        ], [EndpointSlice.of("lb", [.at("10.244.1.1", node: "node2")])], node: .named(addresses: ["10.99.0.2"]))

    @Test func `are counted by reason for every chain that drops them`() throws {
        let rules = try #require(cluster.translation.desired.rules[.ipv4])
        let dropping = rules.chains.filter { $0.value.contains { $0.verdict == .drop } }.map(\.key)
        #expect(dropping.count == 3)
        for chain in dropping { #expect(DroppedPackets.counts([.ipv4: [chain: 1]]).values.reduce(0, +) == 1, "\(chain)") }
        let counts = DroppedPackets.counts([.ipv4: Dictionary(uniqueKeysWithValues: dropping.map { ($0, 2) })])
        #expect(counts == [DroppedPackets(.noLocalEndpoints, .ipv4): 2, DroppedPackets(.sourceRanges, .ipv4): 4])
    }
}
