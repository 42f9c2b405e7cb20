import Kubernetes
import Model
import Testing
import Translation

private let prefix = "kube-ipvs-proxy.io/"

/// A Service with these annotations (keys without a prefix get ours) and a slice of two endpoints.
private func cluster(
    _ annotations: [String: String], slice: [String: String] = [:], transport: Transport = .tcp, hasAffinity: Bool = false,
    settings: TranslationSettings = TranslationSettings(nodeName: "node1")
) -> Cluster {
    func full(_ annotations: [String: String]) -> [String: String] {
        Dictionary(uniqueKeysWithValues: annotations.map { ($0.contains("/") ? $0 : prefix + $0, $1) })
    }
    let service = Service.clusterIP("web", "10.96.0.1", transport: transport).with {
        $0.metadata.annotations = full(annotations)
        if hasAffinity { ($0.sessionAffinity, $0.sessionAffinityTimeoutSeconds) = (.clientIP, 600) }
    }
    var endpoints = EndpointSlice.of(
        "web",
        [
            Endpoint(addresses: Endpoint.addresses(["10.244.0.1"]), pod: "web-0"),
            Endpoint(addresses: Endpoint.addresses(["10.244.0.2"]), pod: "web-1"),
        ],
        transport: transport)
    endpoints.metadata.annotations = full(slice)
    return Cluster([service], [endpoints], settings: settings)
}

extension Cluster {
    fileprivate var server: VirtualServer? { translation.desired.virtualServers.values.first }

    /// Weights in the order of addresses.
    fileprivate var weights: [UInt32] { server?.realServers.map(\.weight) ?? [] }

    /// The distinct pairs of upper and lower thresholds.
    fileprivate var thresholds: Set<[UInt32]> { Set(server?.realServers.map { [$0.upperThreshold, $0.lowerThreshold] } ?? []) }

    fileprivate var hasSlowStart: Bool { server?.slowStart != nil }
    fileprivate var hasDrainTimeout: Bool { server?.drainTimeout != nil }

    fileprivate var invalid: [String] { translation.invalidAnnotations.values.flatMap(\.self).sorted().map(\.description) }
}

@Suite struct `A Service's annotation` {
    @Test(arguments: ["scheduler", "kube-router.io/service.scheduler"]) func `sets its scheduler`(key: String) {
        let cluster = cluster([key: "wlc"])
        #expect(cluster.server?.scheduler.name == "wlc")
        #expect(cluster.invalid.isEmpty)
    }

    @Test func `with our prefix takes precedence over kube-router's`() {
        let cluster = cluster([
            "scheduler": "sed", "kube-router.io/service.scheduler": "lc", "scheduler-flags": "",
            "kube-router.io/service.schedflags": "flag-3",
        ])
        #expect(cluster.server?.scheduler.name == "sed")
        #expect(cluster.server?.flags == [])
    }

    @Test(arguments: ["", "nosuch", "RR", "rr rr", String(repeating: "x", count: 300)])
    func `with a scheduler that this kernel does not have keeps the default`(name: String) throws {
        var settings = TranslationSettings(nodeName: "node1", scheduler: .leastConnections)
        settings.schedulers = [.leastConnections, .weightedRoundRobin]
        let cluster = cluster(["scheduler": name], settings: settings)
        #expect(cluster.server?.scheduler == .leastConnections)
        let reported = try #require(cluster.invalid.first)
        #expect(reported.hasPrefix("kube-ipvs-proxy.io/scheduler \""))
        #expect(name.count > 256 || reported.hasSuffix("is not available in this node's kernel, which has lc, wrr"))
        #expect(reported.utf8.count < 300)
    }

    private typealias Flags = VirtualServer.Flags

    @Test func `sets flags, and the flags that a hash scheduler requires are added`() {
        func flags(_ scheduler: String, _ text: String?, _ key: String = "scheduler-flags") -> Flags? {
            var annotations = ["scheduler": scheduler]
            annotations[key] = text
            return cluster(annotations).server?.flags
        }
        #expect(flags("mh", nil) == [.hashFallback, .hashPort])
        #expect(flags("mh", "") == [.hashFallback])
        #expect(flags("mh", "mh-port") == [.hashFallback, .hashPort])
        #expect(flags("sh", nil) == [.hashFallback])
        #expect(flags("sh", " sh-port , sh-fallback ") == [.hashFallback, .hashPort])
        #expect(flags("sh", "flag-2,flag-3", "kube-router.io/service.schedflags") == [.hashFallback, .hashPort, .schedulerFlag3])
        #expect(flags("wrr", "flag-1") == [.hashFallback])
    }

    @Test func `with a flag of another scheduler keeps the required flags`() {
        let cluster = cluster(["scheduler": "sh", "scheduler-flags": "mh-port"])
        #expect(cluster.server?.flags == [.hashFallback])
        #expect(
            cluster.invalid == [
                "kube-ipvs-proxy.io/scheduler-flags \"mh-port\": \"mh-port\" is not a flag of scheduler sh, which has sh-fallback, sh-port, flag-3"
            ])
    }

    @Test func `schedules each datagram separately, and only for UDP`() {
        #expect(cluster(["one-packet": "true"], transport: .udp).server?.flags == [.onePacket])
        #expect(cluster(["one-packet": "false"], transport: .udp).server?.flags == [])
        let tcp = cluster(["one-packet": "true"])
        #expect(tcp.server?.flags == [])
        #expect(tcp.invalid == ["kube-ipvs-proxy.io/one-packet \"true\": requires a UDP port, and the Service has none"])
        #expect(cluster(["one-packet": "yes"], transport: .udp).invalid == ["kube-ipvs-proxy.io/one-packet \"yes\": must be true or false"])
    }

    @Test func `lets clients of one subnet share their affinity`() {
        #expect(cluster(["affinity-granularity": "24"], hasAffinity: true).server?.affinityPrefix == 24)
        #expect(cluster(["affinity-granularity": "16, 64"], hasAffinity: true).server?.affinityPrefix == 16)
        #expect(cluster([:], hasAffinity: true).server?.affinityPrefix == 32)
        let without = cluster(["affinity-granularity": "24"])
        #expect(without.server?.affinityPrefix == 32)
        #expect(without.invalid == ["kube-ipvs-proxy.io/affinity-granularity \"24\": requires spec.sessionAffinity: ClientIP"])
    }

    @Test(arguments: ["", "0", "33", "24,0", "24,129", "24,64,1", ",64", "/24", "-1", "255.255.255.0"])
    func `with an invalid prefix length keeps affinity per client`(text: String) {
        let cluster = cluster(["affinity-granularity": text], hasAffinity: true)
        #expect(cluster.server?.affinityPrefix == 32)
        #expect(cluster.invalid.count == 1)
    }

    @Test(arguments: [("90", 90), ("90s", 90), ("15m", 900), ("2h", 7200), ("0", 0), ("168h", 604_800)])
    func `limits the drain time of endpoints`(text: String, seconds: Int) {
        #expect(cluster(["drain-timeout": text]).server?.drainTimeout == .seconds(seconds))
    }

    @Test(arguments: ["", "-1", "1d", "169h", "1m30s", "s", "99999999h", " 5", "５"])
    func `with an invalid duration keeps the global drain timeout`(text: String) {
        let cluster = cluster(["drain-timeout": text])
        #expect(!cluster.hasDrainTimeout)
        #expect(cluster.invalid.count == 1)
    }

    @Test func `limits the connections of each endpoint`() {
        let cluster = cluster(["upper-threshold": "100", "lower-threshold": "80"])
        #expect(cluster.thresholds == [[100, 80]])
        #expect(cluster.invalid.isEmpty)
    }

    @Test func `with a lower threshold above the upper one uses only the upper one`() {
        for (upper, lower, left) in [("10", "11", 10), ("x", "1", 0), ("4294967295", "1", 0)] as [(String, String, UInt32)] {
            let cluster = cluster(["upper-threshold": upper, "lower-threshold": lower])
            #expect(cluster.thresholds == [[left, 0]])
            #expect(cluster.invalid.first?.hasPrefix("kube-ipvs-proxy.io/lower-threshold") == true)
        }
    }

    @Test func `that is misspelled or belongs to another object is reported`() {
        #expect(
            cluster(["schedular": "", "weight": "3"]).invalid == [
                "kube-ipvs-proxy.io/schedular: is not supported on a Service",
                "kube-ipvs-proxy.io/weight \"3\": is not supported on a Service",
            ])
        #expect(
            cluster([:], slice: ["scheduler": "rr"]).invalid == [
                "EndpointSlice default/web-a kube-ipvs-proxy.io/scheduler \"rr\": is not supported on an EndpointSlice"
            ])
    }

    @Test func `that is corrected is no longer reported, and takes effect on the existing Service`() {
        var cluster = cluster(["scheduler": "nosuch"])
        #expect(cluster.invalid.count == 1)
        cluster.set(Service.clusterIP("web", "10.96.0.1").with { $0.metadata.annotations = [prefix + "scheduler": "mh"] })
        cluster.translate()
        #expect(cluster.invalid.isEmpty)
        #expect(cluster.server?.scheduler == .maglevHash)
        cluster.remove("web")
        cluster.translate()
        #expect(cluster.translation.invalidAnnotations.isEmpty)
    }
}

@Suite struct `Weights` {
    @Test func `are equal by default`() {
        #expect(cluster([:]).weights == [1, 1])
        #expect(cluster([:]).server?.scheduler == .roundRobin)
    }

    @Test func `come from the slice by address or pod, or else from the Service`() {
        #expect(cluster([:], slice: ["weights": "10.244.0.1=5"]).weights == [5, 1])
        #expect(cluster([:], slice: ["weights": "web-0=5,\n web-1=7"]).weights == [5, 7])
        #expect(cluster(["weights": "web-0=2 web-1=3"]).weights == [2, 3])
        #expect(cluster(["weights": "web-0=2,web-1=3"], slice: ["weights": "web-1=9"]).weights == [2, 9])
        #expect(cluster([:], slice: ["weights": "10.244.0.1=5, web-0=6"]).weights == [5, 1])
    }

    @Test func `replace rr and lc with their weighted equivalents`() {
        func scheduler(_ name: String) -> String? { cluster(["scheduler": name, "weights": "web-0=2"]).server?.scheduler.name }
        #expect(scheduler("rr") == "wrr")
        #expect(scheduler("lc") == "wlc")
        #expect(scheduler("mh") == "mh")
        #expect(scheduler("dh") == "dh")
    }

    @Test func `that this kernel does not support are reported`() {
        var settings = TranslationSettings(nodeName: "node1")
        settings.schedulers = [.roundRobin]
        let cluster = cluster(["weights": "web-0=2"], settings: settings)
        #expect(cluster.server?.scheduler == .roundRobin)
        #expect(
            cluster.invalid == [
                "kube-ipvs-proxy.io/weights \"web-0=2\": requires scheduler wrr, which is not available in this node's kernel"
            ])
    }

    @Test func `of 0 stop new connections, and remove endpoints that cannot drain`() {
        #expect(cluster(["weights": "web-0=0"]).weights == [0, 1])
        #expect(cluster(["weights": "web-0=0"], transport: .udp).weights == [1])
        #expect(cluster(["weights": "web-0=0"], transport: .sctp).weights == [1])
    }

    @Test(arguments: ["web-0", "web-0=", "web-0=-1", "web-0=65536", "web-0=1.5", "=3x", "web-0==2"])
    func `that are invalid are ignored and reported, and the others apply`(entry: String) throws {
        let cluster = cluster([:], slice: ["weights": "\(entry),web-1=4"])
        #expect(cluster.weights == [1, 4])
        let reported = try #require(cluster.invalid.first)
        #expect(reported.hasPrefix("EndpointSlice default/web-a kube-ipvs-proxy.io/weights"))
        #expect(reported.hasSuffix("\"\(entry)\" must be ADDRESS=WEIGHT or POD=WEIGHT with a weight from 0 to 65535"))
    }

    @Test func `in an annotation that is too long are all ignored`() {
        let cluster = cluster([:], slice: ["weights": "web-0=2," + String(repeating: "x=1,", count: 20000)])
        #expect(cluster.weights == [1, 1])
        #expect(cluster.invalid.count == 1)
    }
}

@Suite struct `Slow start` {
    @Test func `scales weights so that they can rise in steps, and selects a weighted scheduler`() {
        let cluster = cluster(["slow-start": "30s", "weights": "web-0=2"])
        #expect(cluster.server?.slowStart == .seconds(30))
        #expect(cluster.weights == [200, 100])
        #expect(cluster.server?.scheduler == .weightedRoundRobin)
        #expect(cluster.invalid.isEmpty)
    }

    @Test(arguments: ["sh", "mh", "dh", "fo", "ovf"]) func `is ignored with schedulers that do not use weights`(scheduler: String) {
        let cluster = cluster(["slow-start": "30s", "scheduler": scheduler])
        #expect(!cluster.hasSlowStart)
        #expect(cluster.weights == [1, 1])
        #expect(
            cluster.invalid == [
                "kube-ipvs-proxy.io/slow-start \"30s\": requires a weighted scheduler such as wrr or wlc, not \(scheduler)"
            ])
    }

    @Test func `of zero or an invalid duration is disabled`() {
        #expect(cluster(["slow-start": "0"]).weights == [1, 1])
        #expect(cluster(["slow-start": "61m"]).invalid.count == 1)
    }
}
