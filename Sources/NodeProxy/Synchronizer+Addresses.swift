internal import Logging
internal import Model

/// The addresses of this node, which decide where node ports answer.
extension Synchronizer {
    /// Addresses of this node may have come or gone.
    func noteAddressChange() { localAddressesMayDiffer = true }

    /// Reads the addresses if they may have changed.
    ///
    /// - Returns: whether a sync should follow.
    func readChangedAddresses() async -> Bool {
        // Where they are old, the next sync reads them anyway.
        guard localAddressesMayDiffer, !localAddressesAreOld else { return false }
        let before = localAddresses
        do {
            try await refreshLocalAddresses()
        } catch {
            // The sync tries again, and tells what comes of it.
            return true
        }
        guard localAddresses != before else { return false }
        logger.info(
            "Addresses of this node changed",
            metadata: [
                "came": "\(Synchronizer.list(localAddresses.subtracting(before)))",
                "went": "\(Synchronizer.list(before.subtracting(localAddresses)))",
            ])
        return true
    }

    private static func list(_ addresses: Set<IPAddress>) -> String {
        let listed = addresses.sorted().prefix(listedAddresses).map(\.description).joined(separator: " ")
        return addresses.count > listedAddresses ? "\(listed) and \(addresses.count - listedAddresses) more" : listed
    }

    private static let listedAddresses = 10
}
