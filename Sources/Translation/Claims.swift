internal import Kubernetes
internal import Model

/// Which Services claim a key that more than one of them asks for; what two claim stays as long as one does.
///
/// Almost every key has one claimant. Nothing is kept for it here: the desired state says whose a key is, and whoever asks names that Service, the
/// key's holder.
struct Claims<Key: Hashable & Sendable>: Sendable {
    /// In order of precedence. A list of one is that of the next in line, until it holds the key.
    private var contested: [Key: [Precedence]] = [:]

    /// The claimant that comes first.
    func winner(_ key: Key, holder: NamespacedName?) -> NamespacedName? { contested[key]?.first?.service ?? holder }

    /// Returns whom the key came from or went to, if not to and from the claimant: it has to be translated again.
    ///
    /// A claimant can lose what it had by claiming again, when it was made anew and is younger now.
    ///
    /// - Parameter holder: who holds the key, unless that is the claimant.
    mutating func add(_ claimant: Precedence, to key: Key, holder: Precedence?) -> Set<NamespacedName> {
        guard var claimants = contested[key] ?? holder.map({ [$0] }) else { return [] }
        let before = claimants.first?.service
        claimants.removeAll { $0.service == claimant.service }
        claimants.append(claimant)
        claimants.sort()
        contested[key] = claimants.count > 1 ? claimants : nil
        let after = claimants.first?.service
        return before == after ? [] : Set([before, after].compactMap(\.self)).subtracting([claimant.service])
    }

    /// Returns the claimant that comes first now.
    mutating func remove(_ service: NamespacedName, from key: Key, holder: NamespacedName?) -> NamespacedName? {
        guard let claimants = contested[key]?.filter({ $0.service != service }) else { return holder == service ? nil : holder }
        contested[key] = claimants.isEmpty || claimants.map(\.service) == [holder] ? nil : claimants
        return claimants.first?.service
    }
}
