internal import Kubernetes
internal import Model

/// Who holds which cluster IP and which node port.
///
/// What a manifest names goes to the Service that had it first, or to an older one if both say when they were made. What is chosen here depends on the Service's name alone, as long as
/// nobody holds it, and stays with the Service while the process lives.
struct ServiceClaims {
    /// Why somebody holds a resource.
    enum Basis: Hashable {
        /// The manifest names it.
        case named
        case chosen
    }

    struct Holder: Hashable {
        var service: NamespacedName
        var basis: Basis
    }

    private var holders: [ServiceResource: Holder] = [:]
    private var named: [NamespacedName: Set<ServiceResource>] = [:]
    private var chosen: [NamespacedName: [AllocationRequest: ServiceResource]] = [:]
    /// Services that could not have a resource because of its holder, and may when that lets go.
    private var waiting: [ServiceResource: Set<NamespacedName>] = [:]

    func holder(of resource: ServiceResource) -> Holder? { holders[resource] }

    func chosen(for service: NamespacedName) -> [AllocationRequest: ServiceResource] { chosen[service] ?? [:] }

    /// What a Service holds because its manifest names it.
    func named(by service: NamespacedName) -> Set<ServiceResource> { named[service] ?? [] }

    /// How many are held, which bounds how many collisions a search can meet.
    var count: Int { holders.count }

    mutating func wait(_ service: NamespacedName, for resource: ServiceResource) {
        waiting[resource, default: []].insert(service)
    }

    /// Gives a Service what its manifest names; what it was given by choice before becomes its own.
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

    /// Takes away what the manifest named; returns who waited for it.
    mutating func releaseNamed(of service: NamespacedName) -> Set<NamespacedName> {
        release(named.removeValue(forKey: service) ?? [])
    }

    /// Takes away what was chosen for wishes that are no longer there; returns who waited for it.
    mutating func releaseChosen(of service: NamespacedName, except requests: Set<AllocationRequest>) -> (
        waiters: Set<NamespacedName>, any: Bool
    ) {
        let gone = chosen[service, default: [:]].filter { !requests.contains($0.key) }
        chosen[service] = chosen[service]?.filter { requests.contains($0.key) }
        if chosen[service]?.isEmpty == true { chosen[service] = nil }
        return (release(Set(gone.values)), !gone.isEmpty)
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

/// What only one Service at a time can have.
enum ServiceResource: Hashable, Sendable, CustomStringConvertible {
    case clusterIP(IPAddress)
    /// A port of the node, for traffic or for health checks; of all protocols, as in Kubernetes.
    case nodePort(UInt16)

    var description: String {
        switch self {
        case .clusterIP(let address): "\(address)"
        case .nodePort(let port): "\(port)"
        }
    }
}

/// What a Service leaves to the control plane to choose.
enum AllocationRequest: Hashable, Sendable {
    case clusterIP(IPFamily)
    /// For `spec.ports[].port`, whatever the protocols: they share a node port.
    case nodePort(UInt16)
    case healthCheckNodePort

    /// The field that it fills.
    var field: String {
        switch self {
        case .clusterIP: "spec.clusterIP"
        case .nodePort: "spec.ports[].nodePort"
        case .healthCheckNodePort: "spec.healthCheckNodePort"
        }
    }
}

/// Where what is chosen for Services comes from: a number of places, one of which a name hashes to.
struct ServiceAllocation {
    var settings: ManifestControlPlane.Settings

    /// The resource for a wish: the one its name leads to or, where that is held, the next that is free; nil if none is.
    func choose(_ request: AllocationRequest, for service: NamespacedName, held claims: ServiceClaims) -> ServiceResource? {
        switch request {
        case .clusterIP(let family):
            guard let range = settings.range(of: family), range.count > 2 else { return nil }
            // Neither the first address nor the last, which is the broadcast address of an IPv4 network. A range that is larger than
            // can be counted is used as far as it can be.
            return firstFree(places: range.count - 2, key: "\(service)", claims) { .clusterIP(range.address.advanced(by: 1 + $0)) }
        case .nodePort(let port): return nodePort(key: "\(service)/\(port)", claims)
        case .healthCheckNodePort: return nodePort(key: "\(service)/healthCheckNodePort", claims)
        }
    }

    private func nodePort(key: String, _ claims: ServiceClaims) -> ServiceResource? {
        let range = settings.nodePorts
        return firstFree(places: UInt64(range.count), key: key, claims) { .nodePort(range.lowerBound + UInt16($0)) }
    }

    private func firstFree(
        places: UInt64, key: String, _ claims: ServiceClaims, _ resource: (UInt64) -> ServiceResource
    ) -> ServiceResource? {
        var place = StableHash(key).value % places
        // Among one more than are held, one is free, if there are as many places.
        for _ in 0..<min(places, UInt64(claims.count) + 1) {
            let candidate = resource(place)
            if claims.holder(of: candidate) == nil { return candidate }
            place = place == places - 1 ? 0 : place + 1
        }
        return nil
    }
}
