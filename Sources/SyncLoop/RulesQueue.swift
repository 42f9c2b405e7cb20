internal import Model
internal import Reconciler

/// The state of observing and changing one part of the rules.
struct RulesQueue {
    /// A task that has been started.
    enum Work { case observation(Reason), operation(Operation) }

    /// Why rules are observed.
    enum Reason {
        /// They are not known.
        case needed
        case audit
        /// The kernel has announced a change.
        case announced
    }

    /// The rules that are observed and changed together. Work on one part delays no other.
    enum Part: Hashable {
        /// The rules in use, and the leftovers in their backend.
        case inUse(IPFamily)
        /// The rules of node proxies in other backends.
        case inOtherBackends(IPFamily)

        var family: IPFamily {
            switch self {
            case .inUse(let family), .inOtherBackends(let family): family
            }
        }
    }

    var running: Work?
    /// Whether the rules in the mirror are those in the kernel.
    var isKnown = false
    /// Whether another program may have changed the rules since they were observed: they are observed again, and stay in effect meanwhile.
    var isOutdated = false
    /// The next operation, which starts when the remaining operations of its plan have been applied or deferred.
    var planned: Operation?

    /// Whether rules are being changed or will be.
    var isChanging: Bool {
        if case .operation = running { return true }
        return planned != nil
    }
}

extension Operation {
    /// The part of the rules that the operation changes; nil if it changes none.
    var partOfRules: RulesQueue.Part? {
        guard layer == .rules, let family = scope.rules.first else { return nil }
        if case .removeRules = self { return .inOtherBackends(family) }
        return .inUse(family)
    }
}
