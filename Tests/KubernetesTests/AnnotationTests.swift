import Kubernetes
import Testing

@Suite struct `Annotations` {
    @Test func `that are not used are dropped`() {
        let kept = Annotation.kept(of: [
            "kubectl.kubernetes.io/last-applied-configuration": "{}", "kube-router.io/service.dsr": "tunnel",
            "kube-ipvs-proxy.io/scheduler": "mh",
            "kube-router.io/service.schedflags": "flag-1",
        ])
        #expect(kept == ["kube-ipvs-proxy.io/scheduler": "mh", "kube-router.io/service.schedflags": "flag-1"])
    }

    @Test func `that are unknown but have this program's prefix are kept by name, up to a limit`() {
        let many = Dictionary(uniqueKeysWithValues: (0..<1000).map { ("kube-ipvs-proxy.io/x\($0)", String(repeating: "y", count: 1000)) })
        let kept = Annotation.kept(of: many)
        #expect(kept.count == 8)
        #expect(Set(kept.values) == [""])
    }

    @Test(arguments: Annotation.allCases) func `that are too long are truncated just above the limit`(annotation: Annotation) {
        let kept = Annotation.kept(of: [annotation.rawValue: String(repeating: "é", count: 100_000)])
        let length = kept[annotation.rawValue]?.utf8.count ?? 0
        #expect(length > annotation.limit && length < annotation.limit + 5)
    }
}
