internal import Model

/// Where what is chosen for Services comes from: a number of places, one of which a name hashes to.
struct ServiceAllocation {
    var settings: ManifestControlPlane.Settings

    /// The resource for a wish: the one its name leads to or, where that is held, the next that is free; nil if none is.
    func choose(_ wish: ServiceWish, for service: NamespacedName, held claims: ServiceClaims) -> ServiceResource? {
        switch wish {
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
