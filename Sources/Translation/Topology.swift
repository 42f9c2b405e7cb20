internal import Kubernetes

/// Where this node stands, for hints that keep traffic near (`EndpointSlice.endpoints[].hints`).
struct Topology: Hashable {
    var nodeName: String
    /// The node's zone; nil where it has none.
    var zone: String?

    /// Those of the ready endpoints that hints give to this node, or else to its zone.
    ///
    /// Hints count only where every endpoint has them and some are for here: a half-written list must not leave the node without endpoints.
    func narrow(_ ready: [EndpointAddress]) -> [EndpointAddress] {
        if let near = narrow(ready, by: \.nodeHints, to: nodeName) { return near }
        if let zone, !zone.isEmpty, let near = narrow(ready, by: \.zoneHints, to: zone) { return near }
        return ready
    }

    private func narrow(_ ready: [EndpointAddress], by hints: KeyPath<EndpointAddress, [String]>, to place: String) -> [EndpointAddress]? {
        guard ready.allSatisfy({ !$0[keyPath: hints].isEmpty }) else { return nil }
        let near = ready.filter { $0[keyPath: hints].contains(place) }
        return near.isEmpty ? nil : near
    }
}

extension EndpointSlice {
    /// Whether the zone of a node decides who gets traffic.
    var hasZoneHints: Bool { endpoints.contains { !$0.zoneHints.isEmpty } }
}
