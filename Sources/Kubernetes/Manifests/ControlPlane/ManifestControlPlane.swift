import Model

/// The part that a cluster's control plane plays: addresses and ports that a manifest leaves open, and slices for selectors.
///
/// It does no I/O: objects of manifests in, changes of the cluster out. A change costs as much as what it touches.
struct ManifestControlPlane {
    /// What the control plane may choose from.
    typealias Settings = ManifestSettings

    /// What came of a number of changes.
    struct Outcome {
        var changes: [ClusterChange] = []
        var problems: [Problem] = []
    }

    /// A Service that cannot be as its manifest wants it.
    struct Problem: Hashable {
        var service: NamespacedName
        var field: FieldProblem
    }

    let settings: Settings
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

    init(settings: Settings = Settings()) {
        self.settings = settings
    }

    /// Takes over what changed in the manifests; nil in place of an object means that it is gone.
    mutating func apply(_ changes: [ManifestObject.Key: ManifestObject?]) -> Outcome {
        var outcome = Outcome()
        var changedServices: Set<NamespacedName> = []
        var reselect: Set<NamespacedName> = []
        for key in changes.keys.sorted() {
            switch (key.kind, changes[key] ?? nil) {
            case (.service, .service(let service)?): take(service, key.name, &changedServices)
            case (.service, _): take(nil, key.name, &changedServices)
            case (.endpointSlice, .endpointSlice(let slice)?): take(slice, key.name, &reselect, &outcome)
            case (.endpointSlice, _): take(nil, key.name, &reselect, &outcome)
            case (.node, .node(let node)?): outcome.changes.append(.node(key.name.name, node))
            case (.node, _): outcome.changes.append(.node(key.name.name, nil))
            case (.pod, .pod(let pod)?): reselect.formUnion(index.set(pod, named: key.name))
            case (.pod, _): reselect.formUnion(index.set(nil, named: key.name))
            }
        }
        let settled = settle(changedServices, &outcome)
        for service in settled.sorted() { publish(service, &outcome) }
        for service in reselect.union(settled).sorted() { select(service, &outcome) }
        return outcome
    }

    private mutating func take(_ service: Service?, _ name: NamespacedName, _ changed: inout Set<NamespacedName>) {
        guard services[name] != service else { return }
        services[name] = service
        index.set(selector: service.map { $0.type == .externalName ? [:] : $0.selector } ?? [:], of: name)
        changed.insert(name)
    }

    private mutating func take(
        _ slice: EndpointSlice?, _ name: NamespacedName, _ reselect: inout Set<NamespacedName>, _ outcome: inout Outcome
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

    private mutating func publish(_ name: NamespacedName, _ outcome: inout Outcome) {
        var completed: Service?
        if let service = services[name], !refused.contains(name) {
            completed = service.completed(ServiceDemand(service, settings: settings), given: claims.chosen(for: name))
        }
        guard published[name] != completed else { return }
        published[name] = completed
        outcome.changes.append(.service(name, completed))
    }

    /// Makes the slices of a Service anew, and publishes those that differ.
    private mutating func select(_ name: NamespacedName, _ outcome: inout Outcome) {
        var wanted: [NamespacedName: EndpointSlice] = [:]
        if let service = services[name], !service.selector.isEmpty, service.type != .externalName, slicesOfService[name] == nil {
            wanted = PodSlices.slices(
                of: service, families: ServiceDemand(service, settings: settings).families, pods: index.pods(selectedBy: name),
                isTaken: { slices[$0] != nil })
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
}
