public import Model
public import Reconciler
internal import Translation

/// Changes that the kernel announces, by this or another program.
extension SyncLoop {
    /// Adds changes that the kernel has announced.
    ///
    /// They are compared with the mirror between two steps, when it contains all changes by this program.
    public mutating func announced(_ changes: [KernelChange], at now: Timestamp) {
        for change in changes { announcedChanges.record(change, at: now) }
    }

    /// Marks the announced changes that are due for observation. Only what the observation finds is repaired and reported.
    mutating func takeAnnouncements(at now: Timestamp) {
        guard announcedChanges.nextDue != nil else { return }
        // What has not been observed so far needs no second observation.
        let isUnobserved = if case .everything = reconciler.scopeToObserve { true } else { false }
        let unobservedRules = families.filter { family in
            ruleQueues[.inUse(family)].map { !$0.isKnown && $0.running == nil } ?? true
        }
        announcedChanges.forget { part in
            switch part {
            case .nodeAddresses: false
            case .device, .set: isUnobserved
            case .rules(let family): unobservedRules.contains(family)
            }
        }
        guard let due = announcedChanges.nextDue, due <= now else { return }
        var selection = Scope.Selection()
        var observed: [AnnouncedPart] = []
        for demand in announcedChanges.take(reconciler.mirror, at: now) {
            switch demand {
            case .nodeAddresses: addressesAreStale = true
            case .device(let changed):
                selection.formUnion(changed)
                observed.append(.device)
            case .set(let name):
                guard translation.desired.sets[name] != nil else { continue }
                // The members that differ are known only after the observation.
                selection.members[name] = []
                announcedSets.insert(name)
                observed.append(.set)
            case .rules(let family): if ruleQueues[.inUse(family)] != nil { announcedRules.insert(family) }
            }
        }
        guard !selection.isEmpty else { return }
        beginSync(at: now)
        for part in observed { outcome?.announced[part, default: 0] += 1 }
        suspectedDrift.formUnion(selection)
        reconciler.invalidate(.only(selection))
        // So that the repairs do not wait for them.
        planBeforeRemainingOperations()
    }

    /// Lets the next plan precede the remaining operations of the plan in progress.
    private mutating func planBeforeRemainingOperations() {
        guard !current.operations.isEmpty else { return }
        guard !isPaced else { return pause() }
        var scope = Scope.Selection()
        for operation in current.operations { operation.addScope(to: &scope) }
        current.operations = []
        reconciler.markForPlanning(.only(scope))
    }

    /// Takes the announced changes of node addresses. The others are due to the program that changes the kernel.
    mutating func takeAnnouncementsAsStandby(at now: Timestamp) {
        announcedChanges.forget { $0 != .nodeAddresses }
        for demand in announcedChanges.take(reconciler.mirror, at: now) where demand == .nodeAddresses { addressesAreStale = true }
    }

    /// Returns the selection of an observation with all members that it found to differ, for the sets that were observed because of an
    /// announcement.
    mutating func addingAnnouncedMembers(_ selection: Scope.Selection, _ observed: NodeState) -> Scope.Selection {
        guard !announcedSets.isEmpty else { return selection }
        var result = selection
        for name in selection.members.keys where announcedSets.remove(name) != nil {
            let (expected, found) = (reconciler.mirror.sets[name]?.members ?? [:], observed.sets[name]?.members ?? [:])
            var members = selection.members[name] ?? []
            for member in expected.keys where found.index(forKey: member) == nil { members.insert(member) }
            for member in found.keys where expected.index(forKey: member) == nil { members.insert(member) }
            result.members[name] = members
        }
        return result
    }
}

/// A part of the kernel state whose changes the kernel announces.
public enum AnnouncedPart: String, Hashable, Sendable, CaseIterable {
    case device, set, rules
}
