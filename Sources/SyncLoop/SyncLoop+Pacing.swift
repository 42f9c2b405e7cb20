internal import Kubernetes
internal import Model
internal import Reconciler
internal import Translation

/// Turns: a large plan is applied in parts, and changes of other Services come between them.
///
/// A plan that one Service makes large is divided by Service: operations of the others come first. What is left when a turn ends is paused
/// and continues when nothing else is due. A plan made meanwhile replaces the paused operations in its scope, and waits behind those that
/// concern the same addresses. So the order of phases stays the same for each address, and nothing is planned twice.
extension SyncLoop {
    /// The operations that failed or were deferred decide for all plans.
    mutating func addUnmetDependency(_ operation: Operation) {
        current.unmetDependencies.add(operation)
        for index in paused.indices { paused[index].unmetDependencies.add(operation) }
    }

    /// Pauses what is left of the current operations.
    mutating func pause() {
        if current.subjects == nil { current.subjects = subjects(of: current.operations, services(of: current.operations)) }
        paused.insert(current, at: 0)
        current = PlannedOperations(unmetDependencies: current.unmetDependencies)
    }

    /// Continues with the operations that were paused first.
    ///
    /// - Returns: whether there were any.
    mutating func resume(at now: Timestamp) -> Bool {
        guard !paused.isEmpty else { return false }
        beginSync(at: now)
        current = paused.removeFirst()
        turnCost = .zero
        return true
    }

    /// Plans deferred operations again that were deferred only because their plan did not know that a dependency had been met.
    mutating func endPausedOperations() {
        guard paused.isEmpty, current.operations.isEmpty else { return }
        deferredWhilePaused = []
        if isDependencyMetWhilePaused { (isDependencyMetWhilePaused, shouldPlanDeferred) = (false, true) }
    }

    /// Marks paused operations for the next plan if it replaces others that concern the same address: the new ones wait behind those that
    /// remain, which would change the order of phases.
    mutating func planConflictingPausedOperations() {
        guard !paused.isEmpty, case .only(let selection) = reconciler.scopeToPlan else { return }
        let keys = PlannedOperations.Subjects.keys(of: selection)
        var scope = Scope.Selection()
        for group in paused where selection.device || !(group.subjects?.keys.isDisjoint(with: keys) ?? false) {
            var replacing = group
            replacing.superseded = selection
            let replacedOperations = group.operations.filter { replacing.isSuperseded($0) && !group.isSuperseded($0) }
            let replaced = Set(replacedOperations.compactMap { key(of: $0) })
            guard !replaced.isEmpty else { continue }
            // Operations on real servers belong to those on their virtual server.
            for operation in group.operations where !operation.isOfRealServer && !group.isSuperseded(operation) && !operation.isFlush {
                if let key = key(of: operation), replaced.contains(key) { operation.addScope(to: &scope) }
            }
        }
        if !scope.isEmpty { reconciler.markForPlanning(.only(scope)) }
    }

    /// Drops the paused operations that a plan of `scope` replaces.
    mutating func supersedePausedOperations(in scope: Scope) {
        guard !paused.isEmpty else { return }
        switch scope {
        case .only(let selection): for index in paused.indices { paused[index].superseded.formUnion(selection) }
        case .everything:
            for operation in paused.lazy.flatMap(\.operations) { planFlushAgain(operation) }
            paused = []
        }
    }

    /// Plans a flush again that is dropped: comparing the states does not show that it is still due.
    mutating func planFlushAgain(_ operation: Operation) {
        guard case .flushConntrack(let identity, _) = operation else { return }
        reconciler.markForPlanning(.only(.init(flows: [identity])))
    }

    /// Makes the operations of a plan the current ones, except those of large Services and those that have to wait for paused ones.
    mutating func begin(_ operations: [Operation], _ unmetDependencies: UnmetDependencies) {
        turnCost = .zero
        current = PlannedOperations(operations: operations[...], unmetDependencies: unmetDependencies)
        let limit = pace.limit(.ipvs)
        guard isPaced, !paused.isEmpty || operations.count > limit else { return }
        let services = services(of: operations)
        let large = Set(Dictionary(services.map { ($0, 1) }, uniquingKeysWith: +).filter { $0.value > limit }.keys)
        guard !large.isEmpty || !paused.isEmpty else { return }
        let (first, later) = divide(operations, services, large)
        current.operations = first[...]
        isPublishedEarly = isPublishedEarly || !first.isEmpty
        for group in later {
            let operations = group.map(\.0)[...]
            enqueue(
                PlannedOperations(
                    operations: operations, unmetDependencies: unmetDependencies, subjects: subjects(of: operations, group.map(\.1))))
        }
    }

    /// Where the operations of a Service go.
    private enum Place: Hashable {
        /// Behind the paused operations.
        case waiting
        /// With those of a large Service.
        case with(NamespacedName?)
    }

    /// Divides operations into those to apply first and those that wait, each group in the order of the plan, the smallest group first.
    ///
    /// All operations of a Service stay together, with those of a large Service if one of them concerns the same address.
    private func divide(
        _ operations: [Operation], _ services: [NamespacedName?], _ large: Set<NamespacedName?>
    ) -> (first: [Operation], later: [[(Operation, NamespacedName?)]]) {
        var ofServices: [NamespacedName: Place] = [:]
        var ofKeys: [PlannedOperations.Subjects.Key: Place] = [:]
        for case let service? in large { ofServices[service] = .with(service) }
        let pausedKeys = paused.compactMap(\.subjects?.keys)
        var places = [Place?](repeating: nil, count: operations.count)
        // Operations on one address may belong to several Services, or to none that is known.
        var isComplete = false
        while !isComplete {
            isComplete = true
            for (index, (operation, service)) in zip(operations, services).enumerated() where places[index] == nil {
                let key = key(of: operation)
                var place = service.flatMap { ofServices[$0] } ?? key.flatMap { ofKeys[$0] }
                if place == nil, service == nil, large.contains(nil) { place = .with(nil) }
                if place == nil, let key, pausedKeys.contains(where: { $0.contains(key) }) { place = .waiting }
                guard let place else { continue }
                places[index] = place
                if let service, ofServices[service] == nil { (ofServices[service], isComplete) = (place, false) }
                if let key, ofKeys[key] == nil { (ofKeys[key], isComplete) = (place, false) }
            }
        }
        var first: [Operation] = []
        var later: [Place: [(Operation, NamespacedName?)]] = [:]
        for (index, (operation, service)) in zip(operations, services).enumerated() {
            if let place = places[index], !operation.isForAllServices {
                later[place, default: []].append((operation, service))
            } else {
                first.append(operation)
            }
        }
        return (first, later.values.sorted { $0.count < $1.count })
    }

    /// Adds paused operations, before larger ones that they do not depend on.
    private mutating func enqueue(_ added: PlannedOperations) {
        var position = paused.count
        while position > 0, paused[position - 1].operations.count > added.operations.count, !paused[position - 1].conflicts(with: added) {
            position -= 1
        }
        paused.insert(added, at: position)
    }

    /// Returns the Service of each operation; nil if it is not known.
    private func services(of operations: some Collection<Operation>) -> [NamespacedName?] {
        var last: (server: VirtualServer.Identity, service: NamespacedName?)?
        return operations.map { operation in
            let server = operation.virtualServer
            if let server, let last, last.server == server { return last.service }
            let service = reconciler.origin(of: operation, desired: translation.desired)?.service
            if let server { last = (server, service) }
            return service
        }
    }

    private func subjects(of operations: ArraySlice<Operation>, _ services: [NamespacedName?]) -> PlannedOperations.Subjects {
        var subjects = PlannedOperations.Subjects()
        var last: VirtualServer.Identity?
        for (operation, service) in zip(operations, services) {
            if let server = operation.virtualServer {
                if operation.removesService { subjects.removals.insert(server.family) }
                // Operations on the real servers of a virtual server follow each other.
                if server == last { continue }
                last = server
            } else if operation.removesService, let address = operation.addressInUse?.address {
                subjects.removals.insert(address.family)
            }
            if let key = key(of: operation) { subjects.keys.insert(key) }
            if let service { subjects.services.insert(service) }
        }
        return subjects
    }

    private func key(of operation: Operation) -> PlannedOperations.Subjects.Key? {
        guard let (address, server) = operation.addressInUse else { return nil }
        guard let server, !translation.desired.accepts(address), !reconciler.mirror.accepts(address) else { return .address(address) }
        return .virtualServer(server)
    }

    /// Whether paused operations remove service addresses or virtual servers of a family.
    func pausedOperationsRemove(_ family: IPFamily) -> Bool { paused.contains { $0.subjects?.removals.contains(family) ?? true } }

    /// Whether changes are due while the kernel is observed in several parts. They come between these.
    func areChangesDueBetweenObservations(at now: Timestamp) -> Bool {
        guard isPaced, isObservingInParts, let due = minSyncPeriod.due else { return false }
        return due <= now
    }
}
