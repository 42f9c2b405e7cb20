internal import Kubernetes
internal import Model

/// The part that a cluster's control plane plays: addresses and ports that a manifest leaves open, and slices for selectors.
///
/// It does no I/O: objects of manifests in, changes of the cluster out. A change costs as much as what it touches.
struct ManifestControlPlane {
    /// What the control plane may choose from.
    typealias Settings = ManifestSettings

    private(set) var settings: Settings
    var claims = ServiceClaims()
    /// Services as their manifests have them.
    var services: [NamespacedName: Service] = [:]
    /// Services that may not be served, because others hold what they need.
    var refused: Set<NamespacedName> = []
    /// Services for which nothing was left to choose.
    var starved: Set<NamespacedName> = []
    private var index = PodIndex()
    private var slices: [NamespacedName: EndpointSlice] = [:]
    private var slicesOfService: [NamespacedName: Set<NamespacedName>] = [:]
    /// Slices made here, by the Service they were made for.
    private var made: [NamespacedName: [NamespacedName: EndpointSlice]] = [:]
    private var makerOfSlice: [NamespacedName: NamespacedName] = [:]
    private var published: [NamespacedName: Service] = [:]
    private var endpoints: [NamespacedName: Endpoints] = [:]
    private var serviceCIDRs: [NamespacedName: ServiceCIDR] = [:]
    /// Why Endpoints are not mirrored, or not all of them, as last reported.
    private var omissions: [NamespacedName: FieldProblem] = [:]
    /// The zones of the Nodes that have one.
    private var zones: [String: String] = [:]
    /// Services whose slices have hints that depend on zones.
    private var distributed: Set<NamespacedName> = []

    init(settings: Settings = Settings()) {
        self.settings = settings
    }

    /// Takes over what changed in the manifests; nil in place of an object means that it is gone.
    mutating func apply(_ changes: [ManifestObject.Key: ManifestObject?]) -> ControlPlaneOutcome {
        var outcome = ControlPlaneOutcome()
        var changedServices: Set<NamespacedName> = []
        var reselect: Set<NamespacedName> = []
        for key in changes.keys.sorted() {
            switch (key.kind, changes[key] ?? nil) {
            case (.service, .service(let service)?): take(service, key.name, &changedServices)
            case (.service, _): take(nil as Service?, key.name, &changedServices)
            case (.endpointSlice, .endpointSlice(let slice)?): take(slice, key.name, &reselect, &outcome)
            case (.endpointSlice, _): take(nil, key.name, &reselect, &outcome)
            case (.endpoints, .endpoints(let object)?): take(object, key.name, &reselect)
            case (.endpoints, _): take(nil as Endpoints?, key.name, &reselect)
            case (.node, .node(let node)?): take(node, key.name.name, &reselect, &outcome)
            case (.node, _): take(nil, key.name.name, &reselect, &outcome)
            case (.serviceCIDR, .serviceCIDR(let block)?): serviceCIDRs[key.name] = block
            case (.serviceCIDR, _): serviceCIDRs[key.name] = nil
            case (.pod, .pod(let pod)?): reselect.formUnion(index.set(pod, named: key.name))
            case (.pod, _): reselect.formUnion(index.set(nil, named: key.name))
            }
        }
        changedServices.formUnion(takeRanges())
        let settled = settle(changedServices, &outcome)
        for service in settled.sorted() { publish(service, &outcome) }
        for service in reselect.union(settled).sorted() { select(service, &outcome) }
        return outcome
    }

    /// Takes over the ranges of cluster IPs; returns the Services that are refused because of them, or no longer.
    private mutating func takeRanges() -> Set<NamespacedName> {
        let ranges = serviceCIDRs.sorted { $0.key < $1.key }.flatMap { $0.value.cidrs.compactMap { CIDR($0) } }
        guard ranges != settings.addedRanges else { return [] }
        let before = settings
        settings.addedRanges = ranges
        let after = settings
        let changed = services.filter {
            ServiceClaimsAndRequests($1, settings: before).problem != ServiceClaimsAndRequests($1, settings: after).problem
        }
        return Set(changed.keys)
    }

    private mutating func take(_ service: Service?, _ name: NamespacedName, _ changed: inout Set<NamespacedName>) {
        guard services[name] != service else { return }
        services[name] = service
        if service?.trafficDistribution == nil { distributed.remove(name) } else { distributed.insert(name) }
        index.set(selector: service.map { $0.type == .externalName ? [:] : $0.selector } ?? [:], of: name)
        changed.insert(name)
    }

    private mutating func take(
        _ slice: EndpointSlice?, _ name: NamespacedName, _ reselect: inout Set<NamespacedName>, _ outcome: inout ControlPlaneOutcome
    ) {
        let before = slices[name]
        guard before != slice else { return }
        slices[name] = slice
        if let service = before?.serviceName {
            slicesOfService.remove(name, from: service)
            reselect.insert(service)
        }
        if let service = slice?.serviceName {
            slicesOfService[service, default: []].insert(name)
            reselect.insert(service)
        }
        // A slice made here that bears the same name gives way: the manifest's takes its place, and another name is found for it.
        if let maker = makerOfSlice.removeValue(forKey: name) {
            made[maker]?[name] = nil
            reselect.insert(maker)
        }
        outcome.changes.append(.endpointSlice(name, slice))
    }

    private mutating func take(_ object: Endpoints?, _ name: NamespacedName, _ reselect: inout Set<NamespacedName>) {
        endpoints[name] = object
        reselect.insert(name)
    }

    private mutating func take(_ node: Node?, _ name: String, _ reselect: inout Set<NamespacedName>, _ outcome: inout ControlPlaneOutcome) {
        outcome.changes.append(.node(name, node))
        guard zones[name] != node?.zone else { return }
        zones[name] = node?.zone
        reselect.formUnion(distributed)
    }

    private mutating func publish(_ name: NamespacedName, _ outcome: inout ControlPlaneOutcome) {
        var completed: Service?
        if let service = services[name], !refused.contains(name) {
            completed = service.completed(ServiceClaimsAndRequests(service, settings: settings), given: claims.chosen(for: name))
        }
        guard published[name] != completed else { return }
        published[name] = completed
        outcome.changes.append(.service(name, completed))
    }

    /// Makes the slices of a Service anew, and publishes those that differ.
    private mutating func select(_ name: NamespacedName, _ outcome: inout ControlPlaneOutcome) {
        var wanted: [NamespacedName: EndpointSlice] = [:]
        if let service = services[name], !service.selector.isEmpty, service.type != .externalName, slicesOfService[name] == nil {
            wanted = PodSlices.slices(
                of: service, families: ServiceClaimsAndRequests(service, settings: settings).families, pods: index.pods(selectedBy: name),
                zones: zones, isTaken: { slices[$0] != nil })
        }
        if let mirror = endpoints[name].map({ EndpointsMirror($0, of: services[name]) }) {
            // Beside whatever slices the Service has from manifests, as in Kubernetes.
            wanted.merge(mirror.slices(isTaken: { slices[$0] != nil })) { made, _ in made }
            report(mirror.omission, name, &outcome)
        } else {
            omissions[name] = nil
        }
        let before = made[name] ?? [:]
        for slice in before.keys.sorted() where wanted[slice] == nil {
            makerOfSlice[slice] = nil
            outcome.changes.append(.endpointSlice(slice, nil))
        }
        for (slice, content) in wanted.sorted(by: { $0.key < $1.key }) where before[slice] != content {
            makerOfSlice[slice] = name
            outcome.changes.append(.endpointSlice(slice, content))
        }
        made[name] = wanted.isEmpty ? nil : wanted
    }

    /// Reports once why Endpoints do not count.
    private mutating func report(_ omission: FieldProblem?, _ name: NamespacedName, _ outcome: inout ControlPlaneOutcome) {
        guard omissions[name] != omission else { return }
        omissions[name] = omission
        if let omission { outcome.warnings.append(ControlPlaneProblem(object: .init(kind: .endpoints, name: name), field: omission)) }
    }
}

extension ManifestControlPlane {
    /// Shares out cluster IPs and node ports after Services changed; returns the Services that may look different now.
    mutating func settle(_ changed: Set<NamespacedName>, _ outcome: inout ControlPlaneOutcome) -> Set<NamespacedName> {
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
        let requests = services[name].map { Set(ServiceClaimsAndRequests($0, settings: settings).requests) } ?? []
        let chosen = claims.releaseChosen(of: name, except: requests)
        let named = claims.named(by: name)
        var waiters = claims.releaseNamed(of: name).union(chosen.waiters)
        if chosen.any || !named.isEmpty { waiters.formUnion(starved) }
        return waiters
    }

    /// Takes what the manifest names, from younger Services if need be; returns who has to look again.
    private mutating func claim(_ name: NamespacedName, _ outcome: inout ControlPlaneOutcome) -> Set<NamespacedName> {
        guard let service = services[name] else { return [] }
        let demand = ServiceClaimsAndRequests(service, settings: settings)
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
            if holder.basis == .named, precedence(name).isOlder(than: precedence(holder.service)) {
                displaced.insert(holder.service)
                continue
            }
            claims.wait(name, for: resource)
            let reason =
                holder.basis == .named
                ? "is already allocated to Service \(holder.service), which specified it first"
                : "is already allocated to Service \(holder.service) (chosen automatically)"
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
    private mutating func fulfil(_ name: NamespacedName, _ outcome: inout ControlPlaneOutcome) {
        guard let service = services[name] else { return }
        let allocation = ServiceAllocation(settings: settings)
        for request in ServiceClaimsAndRequests(service, settings: settings).requests where claims.chosen(for: name)[request] == nil {
            if let resource = allocation.choose(request, for: name, held: claims) {
                claims.choose(resource, for: name, request)
            } else {
                starved.insert(name)
                refuse(name, FieldProblem(request.field, nil, "is not set, and the range to choose it from is full"), &outcome)
                return
            }
        }
    }

    private mutating func refuse(_ name: NamespacedName, _ problem: FieldProblem, _ outcome: inout ControlPlaneOutcome) {
        refused.insert(name)
        outcome.problems.append(ControlPlaneProblem(object: .init(kind: .service, name: name), field: problem))
    }

    /// By creation, those without a time last, then by name.
    private func precedence(_ name: NamespacedName) -> Precedence {
        Precedence(created: services[name]?.metadata.creationTimestamp, service: name)
    }
}

/// What came of a number of changes.
struct ControlPlaneOutcome {
    var changes: [ClusterChange] = []
    /// Objects that cannot be as their manifests want them.
    var problems: [ControlPlaneProblem] = []
    /// What has no effect.
    var warnings: [ControlPlaneProblem] = []
}

/// What there is to say of an object.
struct ControlPlaneProblem: Hashable {
    var object: ManifestObject.Key
    var field: FieldProblem
}
