internal import Kubernetes
internal import Model

/// Emulates the control plane for manifests: allocates the addresses and ports that they leave unset, and creates EndpointSlices.
///
/// It takes objects of manifests and returns changes of the cluster, without I/O. The cost of a change depends on the objects it affects.
struct ManifestControlPlane {
    typealias Settings = ManifestSettings

    private(set) var settings: Settings
    var claims = ServiceClaims()
    /// Services as written in their manifests.
    var services: [NamespacedName: Service] = [:]
    /// Services that are not served, because they are invalid or because a resource that they need is allocated or not available.
    var refused: Set<NamespacedName> = []
    /// Services for which the range to choose from is full.
    var unallocated: Set<NamespacedName> = []
    private var index = PodIndex()
    private var slices: [NamespacedName: EndpointSlice] = [:]
    private var slicesOfService: [NamespacedName: Set<NamespacedName>] = [:]
    /// The slices created here, by their Service.
    private var generated: [NamespacedName: [NamespacedName: EndpointSlice]] = [:]
    private var ownerOfGeneratedSlice: [NamespacedName: NamespacedName] = [:]
    private var published: [NamespacedName: Service] = [:]
    private var endpoints: [NamespacedName: Endpoints] = [:]
    private var serviceCIDRs: [NamespacedName: ServiceCIDR] = [:]
    /// Why Endpoints are not mirrored completely, as last reported.
    private var omissions: [NamespacedName: FieldProblem] = [:]
    /// The zones of Nodes, by the name of the Node.
    private var zones: [String: String] = [:]
    /// Services with a traffic distribution: the hints of their slices depend on zones.
    private var distributed: Set<NamespacedName> = []

    init(settings: Settings = Settings()) {
        self.settings = settings
    }

    /// Applies changes of the manifests; a nil object means that it was removed.
    mutating func apply(_ changes: [ManifestObject.Key: ManifestObject?]) -> ControlPlaneOutcome {
        var outcome = ControlPlaneOutcome()
        var changedServices: Set<NamespacedName> = []
        var reselect: Set<NamespacedName> = []
        for key in changes.keys.sorted() {
            switch (key.kind, changes[key] ?? nil) {
            case (.service, .service(let service)?): update(service, key.name, &changedServices)
            case (.service, _): update(nil as Service?, key.name, &changedServices)
            case (.endpointSlice, .endpointSlice(let slice)?): update(slice, key.name, &reselect, &outcome)
            case (.endpointSlice, _): update(nil, key.name, &reselect, &outcome)
            case (.endpoints, .endpoints(let object)?): update(object, key.name, &reselect)
            case (.endpoints, _): update(nil as Endpoints?, key.name, &reselect)
            case (.node, .node(let node)?): update(node, key.name.name, &reselect, &outcome)
            case (.node, _): update(nil, key.name.name, &reselect, &outcome)
            case (.serviceCIDR, .serviceCIDR(let block)?): serviceCIDRs[key.name] = block
            case (.serviceCIDR, _): serviceCIDRs[key.name] = nil
            case (.pod, .pod(let pod)?): reselect.formUnion(index.set(pod, named: key.name))
            case (.pod, _): reselect.formUnion(index.set(nil, named: key.name))
            }
        }
        changedServices.formUnion(updateRanges())
        let reallocated = allocate(changedServices, &outcome)
        for service in reallocated.sorted() { publish(service, &outcome) }
        for service in reselect.union(reallocated).sorted() { select(service, &outcome) }
        return outcome
    }

    /// Updates the ranges of cluster IPs; returns the Services that become valid or invalid because of it.
    private mutating func updateRanges() -> Set<NamespacedName> {
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

    private mutating func update(_ service: Service?, _ name: NamespacedName, _ changed: inout Set<NamespacedName>) {
        guard services[name] != service else { return }
        services[name] = service
        if service?.trafficDistribution == nil { distributed.remove(name) } else { distributed.insert(name) }
        index.set(selector: service.map { $0.type == .externalName ? [:] : $0.selector } ?? [:], of: name)
        changed.insert(name)
    }

    private mutating func update(
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
        // The manifest's slice replaces one of the same name that was created here, which gets another name.
        if let owner = ownerOfGeneratedSlice.removeValue(forKey: name) {
            generated[owner]?[name] = nil
            reselect.insert(owner)
        }
        outcome.changes.append(.endpointSlice(name, slice))
    }

    private mutating func update(_ object: Endpoints?, _ name: NamespacedName, _ reselect: inout Set<NamespacedName>) {
        endpoints[name] = object
        reselect.insert(name)
    }

    private mutating func update(_ node: Node?, _ name: String, _ reselect: inout Set<NamespacedName>, _ outcome: inout ControlPlaneOutcome)
    {
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

    /// Recreates the slices of a Service and publishes those that differ.
    private mutating func select(_ name: NamespacedName, _ outcome: inout ControlPlaneOutcome) {
        var wanted: [NamespacedName: EndpointSlice] = [:]
        if let service = services[name], !service.selector.isEmpty, service.type != .externalName, slicesOfService[name] == nil {
            wanted = PodSlices.slices(
                of: service, families: ServiceClaimsAndRequests(service, settings: settings).families, pods: index.pods(selectedBy: name),
                zones: zones, isTaken: { slices[$0] != nil })
        }
        if let mirror = endpoints[name].map({ EndpointsMirror($0, of: services[name]) }) {
            // In addition to slices of the Service from manifests, as in Kubernetes.
            wanted.merge(mirror.slices(isTaken: { slices[$0] != nil })) { mirrored, _ in mirrored }
            report(mirror.omission, name, &outcome)
        } else {
            omissions[name] = nil
        }
        let before = generated[name] ?? [:]
        for slice in before.keys.sorted() where wanted[slice] == nil {
            ownerOfGeneratedSlice[slice] = nil
            outcome.changes.append(.endpointSlice(slice, nil))
        }
        for (slice, content) in wanted.sorted(by: { $0.key < $1.key }) where before[slice] != content {
            ownerOfGeneratedSlice[slice] = name
            outcome.changes.append(.endpointSlice(slice, content))
        }
        generated[name] = wanted.isEmpty ? nil : wanted
    }

    /// Reports once why Endpoints are ignored.
    private mutating func report(_ omission: FieldProblem?, _ name: NamespacedName, _ outcome: inout ControlPlaneOutcome) {
        guard omissions[name] != omission else { return }
        omissions[name] = omission
        if let omission { outcome.warnings.append(ControlPlaneProblem(object: .init(kind: .endpoints, name: name), field: omission)) }
    }
}

extension ManifestControlPlane {
    /// Allocates cluster IPs and node ports after Services changed; returns the Services that may differ now.
    mutating func allocate(_ changed: Set<NamespacedName>, _ outcome: inout ControlPlaneOutcome) -> Set<NamespacedName> {
        var queue = changed
        var touched = changed
        for service in changed { queue.formUnion(release(service)) }
        var claimed: Set<NamespacedName> = []
        while !queue.isEmpty {
            touched.formUnion(queue)
            let round = queue.map(precedence).sorted().map(\.service)
            queue = []
            for service in round where services[service] != nil {
                queue.formUnion(claim(service, &outcome))
                claimed.insert(service)
            }
        }
        // By name, so that collisions are resolved independently of the order of files.
        for service in claimed.sorted() where !refused.contains(service) { chooseUnset(service, &outcome) }
        return touched
    }

    /// Releases the resources that a changed Service no longer needs; returns the Services that may get them now.
    private mutating func release(_ name: NamespacedName) -> Set<NamespacedName> {
        refused.remove(name)
        unallocated.remove(name)
        let requests = services[name].map { Set(ServiceClaimsAndRequests($0, settings: settings).requests) } ?? []
        let chosen = claims.releaseChosen(of: name, except: requests)
        let named = claims.named(by: name)
        var waiters = claims.releaseNamed(of: name).union(chosen.waiters)
        if chosen.any || !named.isEmpty { waiters.formUnion(unallocated) }
        return waiters
    }

    /// Claims the resources that the manifest names, from younger Services if necessary; returns the Services to allocate again.
    private mutating func claim(_ name: NamespacedName, _ outcome: inout ControlPlaneOutcome) -> Set<NamespacedName> {
        guard let service = services[name] else { return [] }
        let demand = ServiceClaimsAndRequests(service, settings: settings)
        refused.remove(name)
        unallocated.remove(name)
        if let problem = demand.problem {
            refuse(name, problem, &outcome)
            return []
        }
        var displaced: Set<NamespacedName> = []
        for (resource, field) in demand.claims {
            guard let holder = claims.holder(of: resource), holder.service != name else { continue }
            // Never by name alone: adding a manifest must not take down a running Service.
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
        // Services that found the range full may get what is released here.
        var requeued = displaced.isEmpty ? [] : displaced.union(unallocated)
        for loser in displaced { requeued.formUnion(claims.releaseNamed(of: loser)) }
        claims.name(Set(demand.claims.map(\.resource)), for: name)
        return requeued.subtracting([name])
    }

    /// Chooses the resources that the manifest leaves unset and that have not been chosen before.
    private mutating func chooseUnset(_ name: NamespacedName, _ outcome: inout ControlPlaneOutcome) {
        guard let service = services[name] else { return }
        let allocation = ServiceAllocation(settings: settings)
        for request in ServiceClaimsAndRequests(service, settings: settings).requests where claims.chosen(for: name)[request] == nil {
            if let resource = allocation.choose(request, for: name, held: claims) {
                claims.choose(resource, for: name, request)
            } else {
                unallocated.insert(name)
                refuse(name, FieldProblem(request.field, nil, "is not set, and the range to choose it from is full"), &outcome)
                return
            }
        }
    }

    private mutating func refuse(_ name: NamespacedName, _ problem: FieldProblem, _ outcome: inout ControlPlaneOutcome) {
        refused.insert(name)
        outcome.problems.append(ControlPlaneProblem(object: .init(kind: .service, name: name), field: problem))
    }

    /// Returns the precedence of a Service: the older first, those without a creation time last, then by name.
    private func precedence(_ name: NamespacedName) -> Precedence {
        Precedence(created: services[name]?.metadata.creationTimestamp, service: name)
    }
}

/// The result of a set of changes.
struct ControlPlaneOutcome {
    var changes: [ClusterChange] = []
    /// Why objects are refused.
    var problems: [ControlPlaneProblem] = []
    /// Fields and objects that have no effect.
    var warnings: [ControlPlaneProblem] = []
}

/// A problem with a field of an object.
struct ControlPlaneProblem: Hashable {
    var object: ManifestObject.Key
    var field: FieldProblem
}
