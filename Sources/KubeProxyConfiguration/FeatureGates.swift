/// Feature gates of kube-proxy (`--feature-gates`, `featureGates` of KubeProxyConfiguration), as of Kubernetes 1.36.
public struct FeatureGates: Hashable, Sendable {
    /// `AllowServiceExternalIPs`: whether `Service.spec.externalIPs` are served.
    public var allowsServiceExternalIPs = true

    public init() {}

    /// - Parameter settings: Feature gates by name; those without effect here are ignored.
    public init(_ settings: [String: Bool]) {
        if let value = settings["AllowServiceExternalIPs"] { allowsServiceExternalIPs = value }
    }

    /// Returns the names that kube-proxy 1.36 does not know.
    ///
    /// kube-proxy does not start with them; here, a gate of another version must not leave a node without Services.
    public static func unrecognized(in settings: [String: Bool]) -> [String] {
        settings.keys.filter { known[$0] == nil }.sorted()
    }

    /// Returns why a gate cannot have a value, in kube-proxy's words; nil if it can.
    static func problem(_ name: String, _ value: Bool) -> String? {
        guard case .locked(let only) = known[name], only != value else { return nil }
        return "cannot set feature gate \(name) to \(value), feature is locked to \(only)"
    }

    private enum Gate { case free, locked(Bool) }

    /// All feature gates of kube-proxy. Except for AllowServiceExternalIPs, they control features that are missing here or always on.
    private static let known: [String: Gate] = [
        "AllAlpha": .free, "AllBeta": .free,
        "AllowServiceExternalIPs": .free, "MultiCIDRServiceAllocator": .locked(true), "PreferSameTrafficDistribution": .locked(true),
        "ComponentFlagz": .free, "ComponentStatusz": .free, "NativeHistograms": .free,
        "ContextualLogging": .free, "LoggingAlphaOptions": .free, "LoggingBetaOptions": .free,
        // Gates of client-go.
        "ClientsAllowCBOR": .free, "ClientsPreferCBOR": .free, "InOrderInformers": .free, "WatchListClient": .free,
    ]
}
