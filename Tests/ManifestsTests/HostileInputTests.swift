import Testing
import Kubernetes

@testable import Manifests

@Suite(.timeLimit(.minutes(10))) struct HostileInputTests {
    @Test func `Exponentially nested aliases are refused at once`() {
        var text = "a0: &a0 x\n"
        for level in 1...30 { text += "a\(level): &a\(level)\n" + String(repeating: "- *a\(level - 1)\n", count: 10) }
        let result = reading(text + "kind: Service\n")
        #expect(result.objects.isEmpty)
        #expect(result.problems.map(\.message) == ["grows too large through its aliases: write the values out"])
    }

    @Test(arguments: [
        "a9: &a9 [x]\nb: {*a9}\n", "a9: &a9 [x]\n? *a9\n: b\n", "a9: &a9 [x]\n*a9 : b\n", "a9: &a9 [x]\n[*a9]: b\n",
        "a9: &a9\n- x\nb: {[x: *a9]}\n", "a9: &a9\n- x\nb: {? [x: *a9]}\n", "a9: &a9\n- x\n{x: *a9} : b\n",
        "a9: &a9\n- x\nb: {y: 1,\n*a9}\n",
    ])
    func `An alias in key position is refused before it is hashed`(text: String) {
        #expect(reading(text).problems.map(\.document) == [1])
        #expect(reading(text).problems.first?.message.contains("key: value") == true)
    }

    @Test func `Exponentially nested aliases in mapping keys do not hang`() {
        var text = "a0: &a0 x\n"
        for level in 1...40 { text += "a\(level): &a\(level) [*a\(level - 1), *a\(level - 1), *a\(level - 1)]\n" }
        #expect(reading(text + "? *a40\n: x\n").problems.count == 1)
    }

    @Test func `A chain of aliases cannot nest without limit`() {
        var text = "a0: &a0 x\n"
        for level in 1...900 { text += "a\(level): &a\(level)\n  - *a\(level - 1)\n" }
        #expect(reading(text).problems.count == 1)
        for level in 901...20_000 { text += "a\(level): &a\(level)\n  - *a\(level - 1)\n" }
        #expect(reading(text).problems.count == 1)
    }

    @Test func `Chains at the nesting limit of the text do not exhaust the stack`() {
        // Nine hundred links of ten levels each.
        var text = "a0: &a0 x\n"
        for level in 1...900 {
            text += "a\(level): &a\(level)\n" + String(repeating: "- ", count: 9) + "- *a\(level - 1)\n"
        }
        #expect(reading(text).problems.count == 1)
    }

    @Test(arguments: ["[", "{", "- ", "a: {", "[{a: "])
    func `Excessive nesting without closing brackets is refused`(opener: String) {
        #expect(reading(String(repeating: opener, count: 100_000)).problems.count >= 1)
        #expect(reading(String(repeating: opener, count: 900)).problems.count >= 1)
        #expect(reading(String(repeating: opener, count: 100_000), file: "a.json").problems.count >= 1)
    }

    @Test func `Excessive nesting with closing brackets is refused`() {
        let text = String(repeating: "[", count: 999) + String(repeating: "]", count: 999)
        #expect(reading(text).problems.count == 1)
        #expect(reading("{\"kind\": \(text)}", file: "a.json").problems.count == 1)
    }

    @Test func `A mapping with too many keys is refused`() {
        let text = "kind: X\nmetadata:\n" + (0..<50_000).map { "  k\($0): v\n" }.joined()
        #expect(reading(text).problems.map(\.message) == ["has a mapping of more than 10000 keys"])
    }

    @Test func `Ordinary aliases and merge keys work as in kubectl`() {
        let text = """
            apiVersion: v1
            kind: Service
            metadata:
              name: web
              labels: &labels
                app: nginx
            spec:
              selector:
                <<: *labels
              ports:
              - port: 80
            """
        let result = reading(text)
        #expect(result.problems == [])
        guard case .service(let service)? = result.objects.first else {
            Issue.record("no Service")
            return
        }
        #expect(service.selector == ["app": "nginx"])
    }

    @Test func `Text that only resembles aliases is accepted`() {
        let text =
            "apiVersion: v1\nkind: ConfigMap\ndata:\n  a: |\n    {*x} ? *b [*c]: d\n    " + String(repeating: "*a ", count: 5000) + "\n"
        #expect(reading(text).problems == [])
    }

    private static let json = """
        {"apiVersion": "v1", "kind": "Service",
         "metadata": {"name": "web", "namespace": "shop", "uid": "x", "labels": {"app": "web"},
           "annotations": {"kube-ipvs-proxy.io/scheduler": "mh", "kube-router.io/service.scheduler": "lc"},
           "creationTimestamp": "2026-01-01T00:00:00Z"},
         "spec": {"type": "LoadBalancer", "clusterIP": "10.96.0.9", "clusterIPs": ["10.96.0.9", "fd00::9"],
           "ipFamilies": ["IPv4", "IPv6"], "ipFamilyPolicy": "PreferDualStack",
           "ports": [{"name": "http", "port": 80, "protocol": "TCP", "targetPort": "web", "nodePort": 30080},
                     {"name": "dns", "port": 53, "protocol": "UDP", "targetPort": 5353}],
           "selector": {"app": "web"}, "sessionAffinity": "ClientIP",
           "sessionAffinityConfig": {"clientIP": {"timeoutSeconds": 600}},
           "externalIPs": ["192.0.2.1"], "loadBalancerSourceRanges": ["192.0.2.0/24"],
           "externalTrafficPolicy": "Local", "internalTrafficPolicy": "Cluster", "healthCheckNodePort": 31000,
           "publishNotReadyAddresses": true, "allocateLoadBalancerNodePorts": false},
         "status": {"loadBalancer": {"ingress": [{"ip": "203.0.113.1", "ipMode": "VIP"}, {"hostname": "lb.example"}]}}}
        """

    @Test(arguments: 0..<40)
    func `Documents with random changes are read or refused and never crash the program`(seed: UInt64) {
        var random = SplitMix64(state: seed)
        let sources = [
            (Self.json, "a.json"), (Self.json, "a.yaml"), (ManifestReadingTests.good, "a.yaml"),
            (ManifestProblemTests.mistakes[0].text, "a.yaml"),
        ]
        let fragments = [
            "[", "]", "{", "}", ":", "- ", "\n", "---\n", "&a ", "*a ", "\"", "'", "null", "-1", "1e99", "9999999999999999999", "\u{0}",
            "<<: ", "? ", "!!int ", "\t", "\\u0000", "|",
        ]
        for (text, file) in sources {
            for _ in 0..<25 {
                var bytes = Array(text.utf8)
                for _ in 0..<Int.random(in: 1...6, using: &random) {
                    let place = Int.random(in: 0..<bytes.count, using: &random)
                    switch Int.random(in: 0..<4, using: &random) {
                    case 0: bytes[place] = UInt8.random(in: 0...255, using: &random)
                    case 1: bytes.insert(contentsOf: fragments.randomElement(using: &random)?.utf8.map { $0 } ?? [], at: place)
                    case 2: bytes.removeSubrange(place..<min(bytes.count, place + Int.random(in: 1...20, using: &random)))
                    default: bytes.insert(contentsOf: bytes[place..<min(bytes.count, place + 40)], at: place)
                    }
                    if bytes.isEmpty { bytes = [0x20] }
                }
                let result = ManifestReading(bytes, file: file)
                for object in result.objects { #expect(ManifestValidation.problems(of: object) == []) }
                for problem in result.problems { #expect(!problem.message.isEmpty && !problem.description.contains("\n")) }
            }
        }
    }
}

/// A deterministic random number generator.
struct SplitMix64: RandomNumberGenerator {
    var state: UInt64

    mutating func next() -> UInt64 {
        state &+= 0x9e37_79b9_7f4a_7c15
        var mixed = state
        mixed = (mixed ^ (mixed >> 30)) &* 0xbf58_476d_1ce4_e5b9
        mixed = (mixed ^ (mixed >> 27)) &* 0x94d0_49bb_1331_11eb
        return mixed ^ (mixed >> 31)
    }
}
