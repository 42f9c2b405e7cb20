/// Feature gates of kube-proxy (`--feature-gates`, `featureGates` of KubeProxyConfiguration), as of Kubernetes 1.36.
public struct FeatureGates: Hashable, Sendable {
    /// `AllowServiceExternalIPs`: whether `Service.spec.externalIPs` are served at all.
    public var allowsServiceExternalIPs = true

    public init() {}

    /// - Parameter settings: gates by name; those without a meaning here are passed over.
    public init(_ settings: [String: Bool]) {
        if let value = settings["AllowServiceExternalIPs"] { allowsServiceExternalIPs = value }
    }

    /// Names that kube-proxy 1.36 does not know. It refuses to start with them; a gate of another version is no reason to leave a node without Services.
    public static func unrecognized(in settings: [String: Bool]) -> [String] {
        settings.keys.filter { known[$0] == nil }.sorted()
    }

    /// Why a gate cannot be set so, in kube-proxy's words; nil where it can.
    static func problem(_ name: String, _ value: Bool) -> String? {
        guard case .locked(let only) = known[name], only != value else { return nil }
        return "cannot set feature gate \(name) to \(value), feature is locked to \(only)"
    }

    private enum Gate { case free, locked(Bool) }

    /// All that a node proxy consults; but for AllowServiceExternalIPs they are about what is not done here, or done whatever they say.
    private static let known: [String: Gate] = [
        "AllAlpha": .free, "AllBeta": .free,
        "AllowServiceExternalIPs": .free, "MultiCIDRServiceAllocator": .locked(true), "PreferSameTrafficDistribution": .locked(true),
        "ComponentFlagz": .free, "ComponentStatusz": .free, "NativeHistograms": .free,
        "ContextualLogging": .free, "LoggingAlphaOptions": .free, "LoggingBetaOptions": .free,
        // client-go's.
        "ClientsAllowCBOR": .free, "ClientsPreferCBOR": .free, "InOrderInformers": .free, "WatchListClient": .free,
    ]
}
