/// The annotations in use.
///
/// Others (`last-applied-configuration` above all) would take more memory than the rest of the object; they are dropped during decoding.
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
    /// On a Pod in a directory of manifests.
    case weight = "kube-ipvs-proxy.io/weight"
    /// kube-router's names for the first two.
    case kubeRouterScheduler = "kube-router.io/service.scheduler"
    case kubeRouterSchedulerFlags = "kube-router.io/service.schedflags"
    /// The time of the change that led to an update of an EndpointSlice.
    case lastChangeTriggerTime = "endpoints.kubernetes.io/last-change-trigger-time"

    /// The prefix of this program's annotations; an unknown annotation with this prefix is a mistake.
    public static let prefix = "kube-ipvs-proxy.io/"

    /// The maximum length of a value in bytes; a longer one is truncated to one byte more, so that it can be reported.
    public var limit: Int { self == .weights ? 65536 : 256 }

    /// The number of unknown annotations with the prefix that are kept, so that they can be reported.
    static let unknownLimit = 8

    /// Returns the annotations to keep: those in use, and the names of some that may be misspelled.
    ///
    /// Annotations are written by users, so the amount kept is bounded.
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
