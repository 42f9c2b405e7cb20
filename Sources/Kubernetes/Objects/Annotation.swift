/// The annotations that are read.
///
/// Others (`last-applied-configuration` above all) would cost more memory than the rest of the object; they are dropped as they are decoded.
public enum Annotation: String, Hashable, Sendable, CaseIterable {
    case scheduler = "kube-ipvs-proxy.io/scheduler"
    case schedulerFlags = "kube-ipvs-proxy.io/scheduler-flags"
    case onePacket = "kube-ipvs-proxy.io/one-packet"
    case affinityGranularity = "kube-ipvs-proxy.io/affinity-granularity"
    case drainTimeout = "kube-ipvs-proxy.io/drain-timeout"
    case slowStart = "kube-ipvs-proxy.io/slow-start"
    case upperThreshold = "kube-ipvs-proxy.io/upper-threshold"
    case lowerThreshold = "kube-ipvs-proxy.io/lower-threshold"
    /// On an EndpointSlice or a Service: weights by address or pod.
    case weights = "kube-ipvs-proxy.io/weights"
    /// On a Pod of a directory of manifests.
    case weight = "kube-ipvs-proxy.io/weight"
    /// kube-router's names for the first two.
    case kubeRouterScheduler = "kube-router.io/service.scheduler"
    case kubeRouterSchedulerFlags = "kube-router.io/service.schedflags"
    /// When the change behind an EndpointSlice happened.
    case lastChangeTriggerTime = "endpoints.kubernetes.io/last-change-trigger-time"

    /// What begins so is for this program, and a mistake if it does not know it.
    public static let prefix = "kube-ipvs-proxy.io/"

    /// The longest value in bytes that counts; one that is longer is kept as one byte more, so that it can be told.
    public var limit: Int { self == .weights ? 65536 : 256 }

    /// This many of our prefix are kept without being known, so that they can be told.
    static let unknownLimit = 8

    /// What is kept of an object's annotations: those that are read, and the names of some that may be misspelled.
    ///
    /// Their writers are users of the cluster: what is kept is bounded.
    public static func kept(of annotations: [String: String]) -> [String: String] {
        var kept: [String: String] = [:]
        var unknown: [String] = []
        for (key, value) in annotations {
            if let known = Annotation(rawValue: key) {
                kept[key] = value.utf8.count <= known.limit ? value : String(decoding: value.utf8.prefix(known.limit + 1), as: UTF8.self)
            } else if key.hasPrefix(prefix) {
                unknown.append(key)
            }
        }
        for key in unknown.sorted().prefix(unknownLimit) { kept[key] = "" }
        return kept
    }
}
