/// A route in the table `local` over `kube-ipvs0` to one service address, which makes it an address of the node without binding it.
public struct LocalRoute: Hashable, Sendable {
    /// The source address of the node's own connections to the service address (`RTA_PREFSRC`).
    ///
    /// If it is nil, IPv4 uses the service address itself, and IPv6 an address of the node.
    public var source: IPAddress?
    /// The Service port that the address belongs to; nil if unknown.
    public var origin: ServiceOrigin?

    public init(source: IPAddress? = nil, origin: ServiceOrigin? = nil) {
        self.source = source
        self.origin = origin
    }

    /// The routing protocol (`rtm_protocol`) of our routes, by which they are recognized.
    ///
    /// No other program is known to use it: iproute2's `rt_protos` and the routing daemons have numbers up to 18, 42, 80, 84, 99 and from 186.
    public static let routingProtocol: UInt8 = 118
    /// The metric of our routes.
    ///
    /// That of the kernel's own route to a bound address is 0. So both can exist at once, the kernel's has precedence, and a replacement
    /// only replaces ours.
    public static let metric: UInt32 = 118

    /// An address that `kube-ipvs0` has as long as there are IPv4 routes over it.
    ///
    /// The kernel removes all IPv4 routes over a device when its last IPv4 address is removed (net/ipv4/fib_frontend.c
    /// `fib_inetaddr_event`), which would be the last step of a change from addresses to routes. This address has scope host, so that no
    /// connection gets it as its source, and is in 127.0.0.0/8, which only this node itself reaches and where kube-proxy leaves addresses alone.
    public static let anchor = IPAddress(v4: 0x7f76_0001)
}

extension [IPAddress: LocalRoute] {
    /// The destinations that only one of both has a route to, or to which the routes have different sources.
    public func differences(from other: [IPAddress: LocalRoute]) -> Set<IPAddress> {
        var changed = Set(other.keys.lazy.filter { self[$0] == nil })
        for (address, route) in self where other[address].map({ $0.source != route.source }) ?? true { changed.insert(address) }
        return changed
    }
}
