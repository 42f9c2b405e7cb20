internal import Kubernetes
internal import Model

/// The Services that claim the same key. A key is removed only when its last claimant releases it.
///
/// Almost every key has a single claimant and is not stored here: the desired state contains the Service that holds the key, and callers
/// pass that holder.
struct Claims<Key: Hashable & Sendable>: Sendable {
    /// In order of precedence. A list with one element contains the next claimant, until it holds the key.
    private var contested: [Key: [Precedence]] = [:]

    /// Returns the claimant with the highest precedence.
    func winner(_ key: Key, holder: NamespacedName?) -> NamespacedName? { contested[key]?.first?.service ?? holder }

    /// Adds a claimant and, if that changes the winner, returns the previous and the new winner except the claimant. They have to be
    /// translated again.
    ///
    /// A claimant can lose a key by claiming it again, if it was recreated and is now younger.
    ///
    /// - Parameter holder: the holder of the key, unless that is the claimant.
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

    /// Removes a claimant and returns the claimant that now has the highest precedence.
    mutating func remove(_ service: NamespacedName, from key: Key, holder: NamespacedName?) -> NamespacedName? {
        guard let claimants = contested[key]?.filter({ $0.service != service }) else { return holder == service ? nil : holder }
        contested[key] = claimants.isEmpty || claimants.map(\.service) == [holder] ? nil : claimants
        return claimants.first?.service
    }
}
