public import Model

extension Operation {
    /// The families of which no Service works without the operation.
    public var familiesOfAllServices: Set<IPFamily> {
        switch self {
        case .createSet(let set), .replaceSet(let set): [set.family]
        case .restoreRules(let rules, _): [rules.family]
        case .createDevice: Set(IPFamily.allCases)
        default: []
        }
    }
}
