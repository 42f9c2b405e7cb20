import Kubernetes
import Testing

@Suite struct `Annotations` {
    @Test func `that nobody reads are dropped`() {
        let kept = Annotation.kept(of: [
            "kubectl.kubernetes.io/last-applied-configuration": "{}", "kube-router.io/service.dsr": "tunnel",
            "kube-ipvs-proxy.io/scheduler": "mh",
            "kube-router.io/service.schedflags": "flag-1",
        ])
        #expect(kept == ["kube-ipvs-proxy.io/scheduler": "mh", "kube-router.io/service.schedflags": "flag-1"])
    }

    @Test func `of our prefix that nobody knows are kept by name, a few of them`() {
        let many = Dictionary(uniqueKeysWithValues: (0..<1000).map { ("kube-ipvs-proxy.io/x\($0)", String(repeating: "y", count: 1000)) })
        let kept = Annotation.kept(of: many)
        #expect(kept.count == 8)
        #expect(Set(kept.values) == [""])
    }

    @Test(arguments: Annotation.allCases) func `that are too long are kept as too long, and no longer`(annotation: Annotation) {
        let kept = Annotation.kept(of: [annotation.rawValue: String(repeating: "é", count: 100_000)])
        let length = kept[annotation.rawValue]?.utf8.count ?? 0
        #expect(length > annotation.limit && length < annotation.limit + 5)
    }
}
