public import Model

/// A change that the kernel has announced, by any program. What a set or the rules contain is not announced, or not trusted: the part is
/// observed again.
public enum KernelChange: Hashable, Sendable {
    /// An address of the node appeared or disappeared on an interface other than `kube-ipvs0`.
    case nodeAddresses
    /// The present state of `kube-ipvs0`.
    case device(exists: Bool, isUp: Bool)
    /// Anything about `kube-ipvs0`, its addresses and its routes may have changed: announcements of the kernel were lost.
    case anyOfDevice
    /// An address of `kube-ipvs0` was added or removed.
    case address(IPAddress, isBound: Bool)
    /// A route of the proxy over `kube-ipvs0` was added, replaced or, if nil, removed.
    case route(IPAddress, LocalRoute?)
    case set(AddressSet.Name)
    case rules(IPFamily)
}
