internal import Model

/// Decides which Service addresses are bound to `kube-ipvs0` or routed over it.
extension NodeContext {
    /// Whether an address is to be bound to `kube-ipvs0` or routed over it.
    ///
    /// False if another interface of the node has the address: the kernel already accepts packets to it, and the interface's owner manages
    /// it. Its virtual servers are created all the same. `reasonToRefuse` decides before whether the Service may have the address at all.
    func bindsToDevice(_ address: IPAddress) -> Bool { !localAddresses.contains(address) }
}
