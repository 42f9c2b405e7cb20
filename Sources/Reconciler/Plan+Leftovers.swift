internal import Model

extension Plan {
    /// What kube-proxy left in other modes goes last: until everything of ours stands, it may be what serves.
    mutating func planLeftovers(_ comparison: Comparison, _ scope: Scope) {
        for family in IPFamily.allCases {
            if case .only(let selection) = scope, !selection.rules.contains(family) { continue }
            guard comparison.desired.rules[family] != nil, let left = comparison.observed.leftovers[family] else { continue }
            for operation in Plan.removing(left) { add(operation, in: .removeLeftovers) }
        }
    }

    static func removing(_ left: Leftovers) -> [Operation] {
        (left.hasRules ? [.removeLeftoverRules(left)] : []) + (left.hasTable ? [.deleteLeftoverTable(left.family)] : [])
    }
}
