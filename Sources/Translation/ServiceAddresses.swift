internal import Kubernetes
internal import Model

/// How the node gets the addresses of Services (`--service-addresses`).
public enum ServiceAddresses: Hashable, Sendable {
    /// As addresses of `kube-ipvs0`, like kube-proxy.
    case address
    /// As local routes over `kube-ipvs0`.
    case route
    /// As addresses up to this number of them, and as routes above it.
    case auto(limit: Int = defaultLimit)

    /// The number of addresses from which adding them takes the kernel noticeable time, while routes take a tenth of it.
    ///
    /// The kernel compares a new address with all others of the device (net/ipv4/devinet.c `__inet_insert_ifa`).
    public static let defaultLimit = 2500

    /// Whether this many service addresses are routes.
    ///
    /// - Parameter areRoutes: whether they are routes now. Then they become addresses again only below half of the limit, so that a number
    ///   near the limit does not change all of them again and again.
    func usesRoutes(_ count: Int, areRoutes: Bool) -> Bool {
        switch self {
        case .address: false
        case .route: true
        case .auto(let limit): areRoutes ? count >= limit / 2 : count > limit
        }
    }
}

/// What the service addresses of the desired state are: addresses, or routes with these sources.
struct AddressBinding: Hashable {
    var usesRoutes = false
    /// The source of the node's own connections, by family. A family without one is missing.
    var sources: [IPFamily: IPAddress] = [:]
}

extension NodeContext {
    /// The address of this node that its own connections to service addresses have as their source, by family.
    ///
    /// The kernel accepts only addresses that the node has, and not while they are tentative.
    var routeSources: [IPFamily: IPAddress] {
        let usable = localAddresses.subtracting(tentativeAddresses)
        var sources: [IPFamily: IPAddress] = [:]
        for address in primaryAddresses where usable.contains(address) && !address.isLoopback && !address.isLinkLocal {
            if sources[address.family] == nil { sources[address.family] = address }
        }
        return sources
    }
}

/// The service addresses of a desired state.
extension NodeState {
    var serviceAddressCount: Int { routes.count + boundAddressCount }

    /// Adds a service address or changes its origin.
    ///
    /// - Returns: whether anything changed.
    mutating func setServiceAddress(_ address: IPAddress, _ origin: ServiceOrigin, _ binding: AddressBinding) -> Bool {
        if binding.usesRoutes {
            let route = LocalRoute(source: binding.sources[address.family], origin: origin)
            guard routes[address] != route else { return false }
            routes[address] = route
        } else {
            guard addresses[address] != .some(origin) else { return false }
            addresses.updateValue(origin, forKey: address)
        }
        return true
    }

    mutating func removeServiceAddress(_ address: IPAddress) {
        addresses[address] = nil
        routes[address] = nil
    }

    /// Changes all service addresses to another binding.
    ///
    /// - Returns: the changed addresses.
    mutating func changeServiceAddresses(to binding: AddressBinding, _ families: Set<IPFamily>) -> Set<IPAddress> {
        let before = self
        if binding.usesRoutes {
            for (address, origin) in addresses where address != LocalRoute.anchor { routes[address] = LocalRoute(origin: origin) }
            addresses = families.contains(.ipv4) ? [LocalRoute.anchor: nil] : [:]
            for address in routes.keys { routes[address]?.source = binding.sources[address.family] }
        } else {
            addresses[LocalRoute.anchor] = nil
            for (address, route) in routes { addresses.updateValue(route.origin, forKey: address) }
            routes = [:]
        }
        return before.routes.differences(from: routes).union(Set(before.addresses.keys).symmetricDifference(addresses.keys))
    }
}
