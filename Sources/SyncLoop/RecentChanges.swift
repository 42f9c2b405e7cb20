internal import Model

/// The scope of the desired state that changed lately, while another instance programs it.
///
/// When this instance takes over, the other one may not have programmed these changes. Older ones are forgotten, so that the scope stays
/// small: the complete state is verified after the recent changes.
struct RecentChanges {
    /// How long a change is kept at least; at most twice as long.
    static let period = Duration.seconds(30)

    private var older = Scope.nothing
    private var newer = Scope.nothing
    private var newerBegan: Timestamp?

    mutating func add(_ scope: Scope, at now: Timestamp) {
        rotate(at: now)
        newer.formUnion(scope)
    }

    /// Returns the scope of the changes that are kept.
    mutating func scope(at now: Timestamp) -> Scope {
        rotate(at: now)
        var scope = older
        scope.formUnion(newer)
        return scope
    }

    private mutating func rotate(at now: Timestamp) {
        guard let began = newerBegan else { return newerBegan = now }
        let age = began.duration(to: now)
        guard age >= RecentChanges.period else { return }
        older = age < RecentChanges.period * 2 ? newer : .nothing
        (newer, newerBegan) = (.nothing, now)
    }
}
