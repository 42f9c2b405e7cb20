public import Kubernetes
public import Model

/// The IPVS schedulers that the annotations of a Service or an EndpointSlice ask for.
public enum SchedulerRequest: Hashable, Sendable {
    /// None for an object without such annotations.
    case some(Set<Scheduler>)
    /// A scheduler that Linux does not have.
    case unknown

    /// - Parameter scheduler: that of Services without an annotation.
    public init(_ metadata: ObjectMeta, default scheduler: Scheduler) {
        // Almost all objects have no annotations.
        guard !metadata.annotations.isEmpty else {
            self = .some([])
            return
        }
        guard let text = metadata[SchedulerRequest.annotation(of: metadata)] else {
            let hasWeights = metadata[.weights] != nil || metadata[.slowStart] != nil
            self = .some(hasWeights ? [scheduler.weightedEquivalent] : [])
            return
        }
        guard let named = Scheduler(text), Scheduler.ofLinux.contains(named) else {
            self = .unknown
            return
        }
        // Its slices may have weights.
        self = .some([named, named.weightedEquivalent])
    }

    /// The annotation that decides: this program's, or kube-router's without it.
    static func annotation(of metadata: ObjectMeta) -> Annotation { metadata[.scheduler] != nil ? .scheduler : .kubeRouterScheduler }
}
