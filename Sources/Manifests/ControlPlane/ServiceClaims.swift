internal import Kubernetes
internal import Model

/// The allocation of cluster IPs and node ports to Services.
///
/// A resource that a manifest names is allocated to the Service that had it first, or to the older one if both have a creation time.
/// A resource that is chosen here depends only on the Service's name, unless another Service holds it, and stays allocated while the
/// process runs.
struct ServiceClaims {
    /// Why a Service holds a resource.
    enum Basis: Hashable {
        /// The manifest specifies it.
        case named
        /// It was chosen here.
        case chosen
    }

    struct Holder: Hashable {
        var service: NamespacedName
        var basis: Basis
    }

    private var holders: [ServiceResource: Holder] = [:]
    private var named: [NamespacedName: Set<ServiceResource>] = [:]
    private var chosen: [NamespacedName: [AllocationRequest: ServiceResource]] = [:]
    /// Services that wait for a resource until its holder releases it.
    private var waiting: [ServiceResource: Set<NamespacedName>] = [:]

    func holder(of resource: ServiceResource) -> Holder? { holders[resource] }

    func chosen(for service: NamespacedName) -> [AllocationRequest: ServiceResource] { chosen[service] ?? [:] }

    /// Returns the resources that a Service holds because its manifest names them.
    func named(by service: NamespacedName) -> Set<ServiceResource> { named[service] ?? [] }

    /// The number of allocated resources: the upper limit of collisions of a search.
    var count: Int { holders.count }

    mutating func wait(_ service: NamespacedName, for resource: ServiceResource) {
        waiting[resource, default: []].insert(service)
    }

    /// Allocates to a Service the resources that its manifest names; those that were chosen for it before count as named.
    mutating func name(_ resources: Set<ServiceResource>, for service: NamespacedName) {
        for resource in resources {
            if let holder = holders[resource], holder.service == service, holder.basis == .chosen {
                chosen[service] = chosen[service]?.filter { $0.value != resource }
            }
            holders[resource] = Holder(service: service, basis: .named)
        }
        named[service] = resources.isEmpty ? nil : resources
    }

    mutating func choose(_ resource: ServiceResource, for service: NamespacedName, _ request: AllocationRequest) {
        holders[resource] = Holder(service: service, basis: .chosen)
        chosen[service, default: [:]][request] = resource
    }

    /// Releases the resources that the manifest named; returns the Services that wait for them.
    mutating func releaseNamed(of service: NamespacedName) -> Set<NamespacedName> {
        release(named.removeValue(forKey: service) ?? [])
    }

    /// Releases the resources that were chosen for requests other than the given ones; returns the Services that wait for them.
    mutating func releaseChosen(of service: NamespacedName, except requests: Set<AllocationRequest>) -> (
        waiters: Set<NamespacedName>, any: Bool
    ) {
        let removed = chosen[service, default: [:]].filter { !requests.contains($0.key) }
        chosen[service] = chosen[service]?.filter { requests.contains($0.key) }
        if chosen[service]?.isEmpty == true { chosen[service] = nil }
        return (release(Set(removed.values)), !removed.isEmpty)
    }

    private mutating func release(_ resources: Set<ServiceResource>) -> Set<NamespacedName> {
        var waiters: Set<NamespacedName> = []
        for resource in resources {
            holders[resource] = nil
            waiters.formUnion(waiting.removeValue(forKey: resource) ?? [])
        }
        return waiters
    }
}

/// A resource that only one Service at a time can hold.
enum ServiceResource: Hashable, Sendable, CustomStringConvertible {
    case clusterIP(IPAddress)
    /// A node port for traffic or for health checks, of all protocols, as in Kubernetes.
    case nodePort(UInt16)

    var description: String {
        switch self {
        case .clusterIP(let address): "\(address)"
        case .nodePort(let port): "\(port)"
        }
    }
}

/// A resource that a Service leaves to the control plane to choose.
enum AllocationRequest: Hashable, Sendable {
    case clusterIP(IPFamily)
    /// The node port for `spec.ports[].port`; all protocols of that port share it.
    case nodePort(UInt16)
    case healthCheckNodePort

    /// The field of the Service that the resource is set in.
    var field: String {
        switch self {
        case .clusterIP: "spec.clusterIP"
        case .nodePort: "spec.ports[].nodePort"
        case .healthCheckNodePort: "spec.healthCheckNodePort"
        }
    }
}

/// Chooses resources for Services: a name hashes to a slot of the range.
struct ServiceAllocation {
    var settings: ManifestControlPlane.Settings

    /// Returns the resource that a request hashes to or, if it is allocated, the next free one; nil if the range is full.
    func choose(_ request: AllocationRequest, for service: NamespacedName, held claims: ServiceClaims) -> ServiceResource? {
        switch request {
        case .clusterIP(let family):
            guard let range = settings.range(of: family), range.count > 2 else { return nil }
            // Without the first address and the last, which is the broadcast address of an IPv4 network. Of a range with more addresses
            // than `count` can hold, only the first ones are used.
            return firstFree(slots: range.count - 2, key: "\(service)", claims) { .clusterIP(range.address.advanced(by: 1 + $0)) }
        case .nodePort(let port): return nodePort(key: "\(service)/\(port)", claims)
        case .healthCheckNodePort: return nodePort(key: "\(service)/healthCheckNodePort", claims)
        }
    }

    private func nodePort(key: String, _ claims: ServiceClaims) -> ServiceResource? {
        let range = settings.nodePorts
        return firstFree(slots: UInt64(range.count), key: key, claims) { .nodePort(range.lowerBound + UInt16($0)) }
    }

    private func firstFree(
        slots: UInt64, key: String, _ claims: ServiceClaims, _ resource: (UInt64) -> ServiceResource
    ) -> ServiceResource? {
        var slot = StableHash(key).value % slots
        // Of one more slot than there are allocated resources, at least one is free.
        for _ in 0..<min(slots, UInt64(claims.count) + 1) {
            let candidate = resource(slot)
            if claims.holder(of: candidate) == nil { return candidate }
            slot = slot == slots - 1 ? 0 : slot + 1
        }
        return nil
    }
}
