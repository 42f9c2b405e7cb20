internal import Model

/// The size of one Service's share of the kernel state.
///
/// It is a product of numbers: ports, addresses, endpoints and source ranges. So an object of one megabyte can ask for a hundred million
/// real servers or set members, which no node has the memory for.
struct ServiceSize {
    /// The virtual servers, real servers and set members of a Service. One with 5,000 endpoints, a load balancer and
    /// a node port fits with 25 ports.
    static let limit = 500_000

    /// The endpoints of a port. The kernel searches all real servers of a virtual server for each one that is added
    /// (net/netfilter/ipvs/ip_vs_ctl.c `ip_vs_lookup_dest`), so that hundreds of thousands would occupy it for an hour.
    static let endpointLimit = 50_000

    private var objects = 0

    /// Adds a port, unless the Service would become too large: then it stays without the port.
    ///
    /// - Parameter endpoints: those that the slices list for the port.
    mutating func takes(_ port: ServedPort, endpoints: Int, _ nodeContext: NodeContext) -> Bool {
        let spec = port.spec
        let nodeAddresses = port.nodePort == 0 ? 0 : nodeContext.nodePortAddresses[port.family]?.count ?? 0
        let addresses = 1 + spec.externalIPs.count + spec.loadBalancerIPs.count + nodeAddresses
        let ranges = if case .only(let ranges) = spec.sourceRanges { ranges.count } else { 0 }
        // No product overflows: all numbers come from objects in memory.
        let added = addresses * (1 + endpoints) + spec.loadBalancerIPs.count * ranges
        guard endpoints <= ServiceSize.endpointLimit, objects + added <= ServiceSize.limit else { return false }
        objects += added
        return true
    }
}
