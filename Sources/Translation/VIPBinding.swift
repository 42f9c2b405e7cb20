internal import Model

/// Which Service addresses the device `kube-ipvs0` holds.
extension NodeContext {
    /// Whether an address is to be bound to `kube-ipvs0`.
    ///
    /// Not if another interface of the node holds it: the kernel accepts packets to it already, and the interface's owner manages it. Virtual servers are
    /// programmed all the same.
    func bindsToDevice(_ address: IPAddress) -> Bool { !localAddresses.contains(address) }
}
