internal import Kubernetes
internal import Model

extension ManifestControlPlane {
    /// Shares out cluster IPs and node ports after Services changed; returns the Services that may look different now.
    mutating func settle(_ changed: Set<NamespacedName>, _ outcome: inout Outcome) -> Set<NamespacedName> {
        var queue = changed
        var touched = changed
        for service in changed { queue.formUnion(release(service)) }
        var open: Set<NamespacedName> = []
        while !queue.isEmpty {
            touched.formUnion(queue)
            let round = queue.map(precedence).sorted().map(\.service)
            queue = []
            for service in round where services[service] != nil {
                queue.formUnion(claim(service, &outcome))
                open.insert(service)
            }
        }
        // By name, so that who meets a collision does not depend on the order of files.
        for service in open.sorted() where !refused.contains(service) { fulfil(service, &outcome) }
        return touched
    }

    /// Lets go of what a changed Service no longer needs; returns who may have it now.
    private mutating func release(_ name: NamespacedName) -> Set<NamespacedName> {
        refused.remove(name)
        starved.remove(name)
        let wishes = services[name].map { Set(ServiceDemand($0, settings: settings).wishes) } ?? []
        let chosen = claims.releaseChosen(of: name, except: wishes)
        let named = claims.named(by: name)
        var waiters = claims.releaseNamed(of: name).union(chosen.waiters)
        if chosen.any || !named.isEmpty { waiters.formUnion(starved) }
        return waiters
    }

    /// Takes what the manifest names, from younger Services if need be; returns who has to look again.
    private mutating func claim(_ name: NamespacedName, _ outcome: inout Outcome) -> Set<NamespacedName> {
        guard let service = services[name] else { return [] }
        let demand = ServiceDemand(service, settings: settings)
        refused.remove(name)
        starved.remove(name)
        if let problem = demand.problem {
            refuse(name, problem, &outcome)
            return []
        }
        var displaced: Set<NamespacedName> = []
        for (resource, field) in demand.claims {
            guard let holder = claims.holder(of: resource), holder.service != name else { continue }
            // Not by name alone: a manifest that is merely added must not take a running Service down.
            if holder.basis == .named, precedence(name).isProvablyOlder(than: precedence(holder.service)) {
                displaced.insert(holder.service)
                continue
            }
            claims.wait(name, for: resource)
            let reason =
                holder.basis == .named
                ? "is already allocated to Service \(holder.service), which names it and had it first"
                : "is already allocated to Service \(holder.service), for which it was chosen"
            refuse(name, FieldProblem(field, resource.description, "\(reason): choose another"), &outcome)
            return claims.releaseNamed(of: name)
        }
        // Whoever found nothing left to choose may find it among what is let go here.
        var again = displaced.isEmpty ? [] : displaced.union(starved)
        for loser in displaced { again.formUnion(claims.releaseNamed(of: loser)) }
        claims.name(Set(demand.claims.map(\.resource)), for: name)
        return again.subtracting([name])
    }

    /// Chooses what the manifest leaves open and has not been chosen before.
    private mutating func fulfil(_ name: NamespacedName, _ outcome: inout Outcome) {
        guard let service = services[name] else { return }
        let allocation = ServiceAllocation(settings: settings)
        for wish in ServiceDemand(service, settings: settings).wishes where claims.chosen(for: name)[wish] == nil {
            if let resource = allocation.choose(wish, for: name, held: claims) {
                claims.choose(resource, for: name, wish)
            } else {
                starved.insert(name)
                refuse(name, FieldProblem(wish.field, nil, "is not given, and the range to choose it from is full"), &outcome)
                return
            }
        }
    }

    private mutating func refuse(_ name: NamespacedName, _ problem: FieldProblem, _ outcome: inout Outcome) {
        refused.insert(name)
        outcome.problems.append(Problem(object: .init(kind: .service, name: name), field: problem))
    }

    /// By creation, those without a time last, then by name.
    private func precedence(_ name: NamespacedName) -> Precedence {
        Precedence(created: services[name]?.metadata.creationTimestamp, service: name)
    }
}
