internal import Kubernetes
internal import Model

/// The wait for this node's Node object before the first sync. The node's addresses and zone determine where Services are served and which
/// endpoints they have.
///
/// The limits are those of kube-proxy's node manager: 30 seconds for the object and its addresses, and five minutes for `spec.podCIDRs` if
/// the node's pod CIDRs identify local pods. `evaluate` is called until the wait is over.
public struct NodeWait: Hashable, Sendable {
    enum State: Hashable {
        case ready
        /// Wait until this time or until the Node changes.
        case wait(until: Timestamp)
        /// The time limit has expired; the sync starts without the missing field.
        case continueWithout(missing: String)
        /// The time limit has expired and the missing field is required.
        case timedOut(missing: String)
    }

    static let addressLimit: Duration = .seconds(30)
    public static let podCIDRLimit: Duration = .seconds(300)

    private let needsPodCIDRs: Bool
    private var begin: Timestamp?

    /// - Parameter needsPodCIDRs: whether `--detect-local-mode=NodeCIDR` is set.
    public init(needsPodCIDRs: Bool) { self.needsPodCIDRs = needsPodCIDRs }

    /// Returns whether the first sync may begin. The time limits start with the first call.
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
