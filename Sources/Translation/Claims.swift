internal import Model

/// Who comes first where two Services claim the same thing: the older one, then by name.
struct Precedence: Hashable, Comparable {
    /// `metadata.creationTimestamp` (RFC 3339, which sorts as text); those without come last.
    var created: String?
    var service: NamespacedName

    static func < (lhs: Precedence, rhs: Precedence) -> Bool {
        switch (lhs.created, rhs.created) {
        case (let mine?, let theirs?) where mine != theirs: mine < theirs
        case (.some, nil): true
        case (nil, .some): false
        default: lhs.service < rhs.service
        }
    }
}

/// Which Services claim a key; what two claim stays as long as one does.
struct Claims<Key: Hashable & Sendable>: Sendable {
    /// Almost every key has one claimant; only the others pay for a list.
    private var sole: [Key: Precedence] = [:]
    private var shared: [Key: [Precedence]] = [:]

    /// The claimant that comes first.
    func winner(_ key: Key) -> NamespacedName? { sole[key]?.service ?? shared[key]?.first?.service }

    /// Returns whom the key came from or went to, if not to and from the claimant: it has to be translated again.
    ///
    /// A claimant can lose what it had by claiming again, when it was made anew and is younger now.
    mutating func add(_ claimant: Precedence, to key: Key) -> Set<NamespacedName> {
        let before = winner(key)
        var claimants = shared[key] ?? sole[key].map { [$0] } ?? []
        claimants.removeAll { $0.service == claimant.service }
        claimants.append(claimant)
        set(claimants.sorted(), key)
        let after = winner(key)
        return before == after ? [] : Set([before, after].compactMap(\.self)).subtracting([claimant.service])
    }

    mutating func remove(_ service: NamespacedName, from key: Key) {
        if sole[key]?.service == service {
            sole[key] = nil
        } else if let claimants = shared[key] {
            set(claimants.filter { $0.service != service }, key)
        }
    }

    private mutating func set(_ claimants: [Precedence], _ key: Key) {
        if claimants.count > 1 {
            sole[key] = nil
            shared[key] = claimants
        } else {
            sole[key] = claimants.first
            if !shared.isEmpty { shared[key] = nil }
        }
    }
}
