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
        // They may have changed since it was planned.
        current.unmetDependencies.rules = familiesWithoutRules
        turnCost = .zero
        return true
    }

    /// Plans deferred operations again that were deferred only because their plan did not know that a dependency had been met.
    mutating func endPausedOperations() {
        guard paused.isEmpty, current.operations.isEmpty else { return }
        deferredWhilePaused = []
        if isDependencyMetWhilePaused { (isDependencyMetWhilePaused, shouldPlanDeferred) = (false, true) }
    }

    /// Marks paused operations for the next plan that concern the same address as it does: the new operations wait behind those that remain,
    /// which would change the order of phases.
    mutating func planConflictingPausedOperations() {
        guard !paused.isEmpty, case .only(let selection) = reconciler.scopeToPlan else { return }
        let keys = PlannedOperations.Subjects.keys(of: selection)
        var scope = Scope.Selection()
        for group in paused where selection.device || !(group.subjects?.keys.isDisjoint(with: keys) ?? false) {
            // Operations on real servers belong to those on their virtual server.
            for operation in group.operations where !operation.isOfRealServer && !operation.isFlush && !group.isSuperseded(operation) {
                if let key = key(of: operation), selection.device || keys.contains(key) { operation.addScope(to: &scope) }
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
        isPublishedEarly = isPublishedEarly || !first.isEmpty || operations.isEmpty
        for group in later {
            let operations = group.map(\.0)[...]
            enqueue(
                PlannedOperations(
                    operations: operations, unmetDependencies: unmetDependencies, subjects: subjects(of: operations, group.map(\.1))))
        }
    }

    /// Divides operations into those to apply first and those that wait, each group in the order of the plan, the smallest group first.
    ///
    /// All operations of a Service stay together, with those of a large Service if one of them concerns the same address.
    private func divide(
        _ operations: [Operation], _ services: [NamespacedName?], _ large: Set<NamespacedName?>
    ) -> (first: [Operation], later: [[(Operation, NamespacedName?)]]) {
        // Operations on one address may belong to several Services, or to none that is known. They stay together.
        var parts = OperationParts()
        let pausedKeys = paused.compactMap(\.subjects?.keys)
        let members = zip(operations, services).map { operation, service in
            parts.join(key(of: operation), service, joinsUnknown: service == nil && large.contains(nil))
        }
        var waiting: Set<Int> = []
        for (operation, member) in zip(operations, members) {
            guard let member, let key = key(of: operation), pausedKeys.contains(where: { $0.contains(key) }) else { continue }
            waiting.insert(parts.root(of: member))
        }
        var largest: Set<Int> = []
        for (service, member) in zip(services, members) where large.contains(service) {
            if let member { largest.insert(parts.root(of: member)) }
        }
        var first: [Operation] = []
        var later: [Int?: [(Operation, NamespacedName?)]] = [:]
        for ((operation, service), member) in zip(zip(operations, services), members) {
            let root = member.map { parts.root(of: $0) }
            if let root, !operation.isForAllServices, largest.contains(root) || waiting.contains(root) {
                later[largest.contains(root) ? root : nil, default: []].append((operation, service))
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
        guard isPaced, isObservingInParts, !changesHadTurn, let due = minSyncPeriod.due else { return false }
        return due <= now
    }
}

/// Operations that must stay in one part of a plan: those on the same address, and those of the same Service.
private struct OperationParts {
    private var parents: [Int] = []
    private var ofKeys: [PlannedOperations.Subjects.Key: Int] = [:]
    private var ofServices: [NamespacedName?: Int] = [:]

    /// Adds an operation to the parts of its address and its Service, which become one.
    ///
    /// - Parameter joinsUnknown: whether operations without a known Service count as those of one Service.
    /// - Returns: a member of its part; nil if it has neither an address nor a Service.
    mutating func join(_ key: PlannedOperations.Subjects.Key?, _ service: NamespacedName?, joinsUnknown: Bool) -> Int? {
        var ofKey: Int?
        if let key {
            ofKey = ofKeys[key] ?? add()
            ofKeys[key] = ofKey
        }
        var ofService: Int?
        if service != nil || joinsUnknown {
            ofService = ofServices[service] ?? add()
            ofServices[service] = ofService
        }
        guard let ofKey, let ofService else { return ofKey ?? ofService }
        let (root, other) = (root(of: ofKey), root(of: ofService))
        parents[max(root, other)] = min(root, other)
        return min(root, other)
    }

    func root(of member: Int) -> Int {
        var root = member
        while parents[root] != root { root = parents[root] }
        return root
    }

    private mutating func add() -> Int {
        parents.append(parents.count)
        return parents.count - 1
    }
}
