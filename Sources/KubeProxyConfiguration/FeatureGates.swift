/// Feature gates of kube-proxy (`--feature-gates`, `featureGates` of KubeProxyConfiguration), as of Kubernetes 1.36.
public struct FeatureGates: Hashable, Sendable {
    /// `AllowServiceExternalIPs`: whether `Service.spec.externalIPs` are served at all.
    public var allowsServiceExternalIPs = true

    public init() {}

    /// - Parameter settings: gates by name; those that `problem` finds fault with are passed over.
    public init(_ settings: [String: Bool]) {
        if let value = settings["AllowServiceExternalIPs"] { allowsServiceExternalIPs = value }
    }

    /// Why a gate cannot be set so, in kube-proxy's words; nil where it can.
    public static func problem(_ name: String, _ value: Bool) -> String? {
        guard let gate = known[name] else { return "unrecognized feature gate: \(name)" }
        guard case .locked(let only) = gate, only != value else { return nil }
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
