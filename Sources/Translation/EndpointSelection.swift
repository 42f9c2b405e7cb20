/// Which endpoints of a Service port get traffic.
struct EndpointSelection {
    /// Ready endpoints anywhere, narrowed to those that are near; where none is ready, those that still serve while they terminate (KEP-1669).
    let cluster: [EndpointAddress]
    /// The same on this node, for policies that ask for local endpoints only; nothing is narrowed.
    let local: [EndpointAddress]

    init(_ endpoints: [EndpointAddress], _ topology: Topology) {
        cluster = EndpointSelection.usable(endpoints, topology.narrow)
        local = EndpointSelection.usable(endpoints.filter(\.isLocal)) { $0 }
    }

    private static func usable(
        _ endpoints: [EndpointAddress], _ narrow: ([EndpointAddress]) -> [EndpointAddress]
    ) -> [EndpointAddress] {
        // Almost always they all are: then none is copied.
        let ready = endpoints.allSatisfy(\.isReady) ? endpoints : endpoints.filter(\.isReady)
        return ready.isEmpty ? endpoints.filter { $0.isServing && $0.isTerminating } : narrow(ready)
    }
}
