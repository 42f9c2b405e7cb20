/// The addresses of a node on interfaces other than `kube-ipvs0`.
public struct NodeAddresses: Hashable, Sendable {
    public var all: Set<IPAddress>
    /// Those whose duplicate address detection has not ended or has failed (`IFA_F_TENTATIVE`): the kernel accepts them neither as the source
    /// of a route nor of a packet.
    public var tentative: Set<IPAddress>

    public init(_ all: Set<IPAddress> = [], tentative: Set<IPAddress> = []) {
        self.all = all
        self.tentative = tentative
    }
}
