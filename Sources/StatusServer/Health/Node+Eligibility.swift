public import Kubernetes

extension Node {
    /// Whether load balancers should send new connections to the node: not while it is deleted, nor once the cluster autoscaler means to (KEP-3836).
    public var isEligible: Bool {
        metadata.deletionTimestamp == nil && !taints.contains { $0.key == "ToBeDeletedByClusterAutoscaler" }
    }
}
