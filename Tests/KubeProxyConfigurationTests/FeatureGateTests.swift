import KubeProxyConfiguration
import Model
import Testing
import Translation

private func settings(_ change: (inout FlagValues) -> Void) throws -> TranslationSettings {
    var flags = FlagValues()
    change(&flags)
    return try ProxyConfiguration(flags, hostname: "node1").translationSettings(families: [.ipv4], hasRandomFully: true)
}

@Suite struct `Feature gates` {
    @Test func `allow external IPs of Services by default`() throws {
        #expect(try settings { _ in }.allowsExternalIPs)
        #expect(try !settings { $0.featureGates = ["AllowServiceExternalIPs=false"] }.allowsExternalIPs)
        #expect(try settings { $0.featureGates = ["AllowServiceExternalIPs=f", " AllowServiceExternalIPs = True "] }.allowsExternalIPs)
    }

    @Test(arguments: [
        "AllAlpha=true,AllBeta=false", "ComponentFlagz=true,NativeHistograms=true,", "MultiCIDRServiceAllocator=true",
        "WatchListClient=0,ContextualLogging=1",
    ])
    func `that have no effect here are accepted`(list: String) throws {
        #expect(try settings { $0.featureGates = [list] } == settings { _ in })
    }

    @Test func `that are unknown are reported and have no effect`() throws {
        #expect(try settings { $0.featureGates = ["NoSuchGate=true"] } == settings { _ in })
        #expect(FeatureGates.unrecognized(in: ["NoSuchGate": true, "AllAlpha": true]) == ["NoSuchGate"])
    }

    @Test func `that are locked are refused with kube-proxy's error`() {
        let error = #expect(throws: ConfigurationError.self) {
            try settings { $0.featureGates = ["ComponentStatusz=true,PreferSameTrafficDistribution=false"] }
        }
        #expect(
            error?.fields.map(\.description) == [
                "KubeProxyConfiguration.FeatureGates[PreferSameTrafficDistribution]: Invalid value: false: "
                    + "cannot set feature gate PreferSameTrafficDistribution to false, feature is locked to true"
            ])
        #expect(error?.flags == ["--feature-gates"])
    }

    @Test(arguments: [
        ("AllBeta", "malformed pair, expect string=bool"), ("AllBeta=perhaps", "must be AllBeta=true or AllBeta=false"),
    ])
    func `that are malformed are refused individually`(pair: String, message: String) {
        let error = #expect(throws: ConfigurationError.self) { try settings { $0.featureGates = ["ComponentStatusz=true,\(pair)"] } }
        #expect(error?.problems == [.init(flag: "--feature-gates", value: pair, message: message)])
    }
}

@Suite struct `External IP ranges` {
    @Test func `are unrestricted by default, or those specified`() throws {
        #expect(try settings { _ in }.externalIPRanges.isEmpty)
        let given = try settings { $0.externalIPCIDRs = ["192.0.2.0/24", "2001:db8::/32"] }.externalIPRanges
        #expect(given.map(\.description) == ["192.0.2.0/24", "2001:db8::/32"])
    }

    @Test func `that are invalid are refused with flag and value`() {
        let error = #expect(throws: ConfigurationError.self) { try settings { $0.externalIPCIDRs = ["192.0.2.0/24", "all"] } }
        #expect(error?.problems.map(\.value) == ["all"] && error?.problems.map(\.flag) == ["--external-ip-cidrs"])
    }
}
