internal import Kubernetes

/// The name and zone of this node, for topology hints (`EndpointSlice.endpoints[].hints`).
struct Topology: Hashable {
    var nodeName: String
    /// The node's zone; nil if it has none.
    var zone: String?

    /// Returns the ready endpoints with hints for this node, or else for its zone.
    ///
    /// Hints are used only if every endpoint has them and at least one names this node or zone: incomplete hints must not leave the node
    /// without endpoints.
    func narrow(_ ready: [EndpointAddress]) -> [EndpointAddress] {
        if let hinted = narrow(ready, by: { $0.nodeHints }, to: nodeName) { return hinted }
        if let zone, !zone.isEmpty, let hinted = narrow(ready, by: { $0.zoneHints }, to: zone) { return hinted }
        return ready
    }

    private func narrow(_ ready: [EndpointAddress], by hints: (EndpointAddress) -> [String], to name: String) -> [EndpointAddress]? {
        guard ready.allSatisfy({ !hints($0).isEmpty }) else { return nil }
        let hinted = ready.filter { hints($0).contains(name) }
        return hinted.isEmpty ? nil : hinted
    }
}

extension EndpointSlice {
    /// Whether the selection of endpoints depends on the zone of the node.
    var hasZoneHints: Bool { endpoints.contains { $0.hasHints && !$0.zoneHints.isEmpty } }
}
