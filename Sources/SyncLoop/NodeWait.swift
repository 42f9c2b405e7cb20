internal import Kubernetes
internal import Model

/// How long the first sync waits for this node's Node object: its addresses and zone decide where Services answer and which endpoints they have.
///
/// As kube-proxy's node manager waits: 30 seconds for the object and its addresses, and, where pods are recognised by the node's pod ranges, five
/// minutes for those. It is asked until the wait is over, and never again.
public struct NodeWait: Hashable, Sendable {
    enum State: Hashable {
        case ready
        /// Nothing can be said before then, unless the Node changes.
        case wait(until: Timestamp)
        /// The time is over, and it has to do without.
        case continueWithout(missing: String)
        /// The time is over, and what is missing cannot be done without.
        case timedOut(missing: String)
    }

    static let addressLimit: Duration = .seconds(30)
    public static let podCIDRLimit: Duration = .seconds(300)

    private let needsPodCIDRs: Bool
    private var begin: Timestamp?

    /// - Parameter needsPodCIDRs: `--detect-local-mode=NodeCIDR`.
    public init(needsPodCIDRs: Bool) { self.needsPodCIDRs = needsPodCIDRs }

    /// Whether the first sync may begin; the time counts from the first call.
    mutating func evaluate(_ node: Node?, at now: Timestamp) -> State {
        let begin = begin ?? now
        self.begin = begin
        let hasAddresses = node.map { !$0.hostAddresses.isEmpty } ?? false
        let hasPodCIDRs = !needsPodCIDRs || node.map { !$0.podCIDRs.isEmpty } ?? false
        if hasAddresses && hasPodCIDRs { return .ready }
        if !hasPodCIDRs {
            let end = begin.advanced(by: NodeWait.podCIDRLimit)
            return now < end ? .wait(until: end) : .timedOut(missing: node == nil ? "Node" : "spec.podCIDRs")
        }
        let end = begin.advanced(by: NodeWait.addressLimit)
        return now < end ? .wait(until: end) : .continueWithout(missing: node == nil ? "Node" : "status.addresses")
    }
}
