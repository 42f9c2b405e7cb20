import Kubernetes
import Testing

@testable import KubernetesAPI

struct ObjectLimitsTests {
    @Test func `A frequently used object is not evicted by many short-lived ones`() {
        var limits = ObjectLimits(EventSettings(objectBurst: 1))
        let isFirstAllowed = limits.allows(.node("busy"), at: .zero)
        #expect(isFirstAllowed)
        for number in 1...20_000 {
            let now = Duration.milliseconds(number)
            let isAllowed = limits.allows(.node("node\(number)"), at: now)
            #expect(isAllowed)
            #expect(limits.count <= ObjectLimits.capacity)
            guard number.isMultiple(of: 100) else { continue }
            let isBusyAllowed = limits.allows(.node("busy"), at: now)
            #expect(!isBusyAllowed)
        }
    }
}
