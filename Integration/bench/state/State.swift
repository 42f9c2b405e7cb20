import Kubernetes
import KubernetesAPI
import Model
import Reconciler
import Translation

/// The parts of the program that hold the cluster, as far as they are built.
struct State {
    enum Stage: String, CaseIterable { case cluster, translated, applied }

    private var cluster = ClusterState()
    /// The revisions of the published objects, as the reflectors hold them.
    private var revisions: [NamespacedName: String] = [:]
    private var translation: Translation
    private var reconciler: Reconciler
    private var now = Timestamp.seconds(0)

    init(_ population: Population, upTo stage: Stage) throws {
        translation = Translation(TranslationSettings(nodeName: "node-0", families: [.ipv4]))
        reconciler = Reconciler(drainTimeout: .zero, nodeName: "node-0")
        try population.forEachService { absorb($0.object, $0.resourceVersion) }
        try population.forEachSlice { absorb($0) }
        reconciler.merge(Translation.catalogue(translation.settings), of: .everything, desired: translation.desired, at: now) { _ in true }
        _ = reconciler.nextPlan(for: translation.desired, at: now)
        guard stage != .cluster else { return }
        translate()
        guard stage != .translated else { return }
        apply(plan())
    }

    private mutating func absorb(_ service: Service, _ version: String) {
        revisions[service.metadata.namespacedName] = version
        cluster.apply(.service(service.metadata.namespacedName, service))
    }

    mutating func absorb(_ slice: Versioned<EndpointSlice>) {
        revisions[slice.object.metadata.namespacedName] = slice.resourceVersion
        cluster.apply(.endpointSlice(slice.object.metadata.namespacedName, slice.object))
    }

    mutating func translate() {
        reconciler.markForPlanning(translation.update(cluster.popDirtyServices(), of: cluster, NodeAddresses()))
        _ = translation.popTranslatedServices()
    }

    mutating func plan() -> [Operation] {
        now = now.advanced(by: .seconds(1))
        return reconciler.nextPlan(for: translation.desired, at: now).plan.operations
    }

    /// Plans the complete state, as after a start on a node with nothing to change.
    mutating func planEverything() -> [Operation] {
        reconciler.markForPlanning(.everything)
        return plan()
    }

    /// Observes that draining real servers have no connections, and deletes them.
    mutating func finishDrains() {
        guard case .only(let selection) = reconciler.scopeToObserve, !selection.isEmpty else { return }
        var observed = NodeState()
        for identity in selection.realServers {
            guard var server = reconciler.mirror.virtualServers[identity] else { continue }
            for real in server.realServers where real.weight == 0 {
                server.realServers[real.location]?.connections = .init(active: 0, inactive: 0)
            }
            observed.virtualServers[identity] = server
        }
        reconciler.merge(observed, of: .only(selection), desired: translation.desired, at: now) { _ in true }
        apply(plan())
    }

    mutating func apply(_ operations: [Operation]) { reconciler.recordSuccess(operations, desired: translation.desired) }
}
