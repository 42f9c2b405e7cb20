import Kubernetes
import Model
import SyncLoop
import TestSupport
import Testing
import Translation

@Suite struct `A scheduler of the kernel` {
    private let web = TestService("web", 10)

    private func node() -> SimulatedNode {
        SimulatedNode(schedulers: [.roundRobin], untestedSchedulers: Scheduler.ofLinux.filter { $0 != .roundRobin })
    }

    private func web(_ annotations: [String: String]) -> TestService {
        var service = web
        service.annotations = annotations
        return service
    }

    private func scheduler(_ node: SimulatedNode) -> Scheduler? { node.kernel.state.virtualServers[web.identity]?.scheduler }

    @Test func `is not tested if no Service asks for it`() {
        var node = node()
        node.absorb([web.change, web.slice([1])])
        node.list()
        node.settle()
        #expect(scheduler(node) == .roundRobin)
        #expect(node.schedulerTests.isEmpty)
    }

    @Test func `is tested once, before the first Service that asks for it is programmed`() {
        var node = node()
        node.absorb([web(["kube-ipvs-proxy.io/scheduler": "mh"]).change, web.slice([1])])
        node.list()
        node.settle()
        #expect(node.schedulerTests == [[.maglevHash]])
        #expect(scheduler(node) == .maglevHash)
        #expect(node.outcomes.allSatisfy { $0.succeeded })
        node.absorb([web(["kube-router.io/service.scheduler": "mh"]).change])
        node.settle()
        #expect(node.schedulerTests.count == 1)
        #expect(node.status.invalidAnnotations.isEmpty)
    }

    @Test(arguments: ["weights", "slow-start"]) func `with weights is tested if weights need it`(annotation: String) {
        var node = node()
        node.absorb([web(["kube-ipvs-proxy.io/\(annotation)": annotation == "weights" ? "10.244.0.1=3" : "10s"]).change, web.slice([1])])
        node.list()
        node.settle()
        #expect(node.schedulerTests == [[.weightedRoundRobin]])
        #expect(scheduler(node) == .weightedRoundRobin)
    }

    @Test(arguments: ["mh", "magic"]) func `that is missing is reported with those that the kernel has`(name: String) throws {
        var node = node()
        node.kernelSchedulers = [.roundRobin, .leastConnections, .sourceHash]
        node.absorb([web(["kube-ipvs-proxy.io/scheduler": name]).change, web.slice([1])])
        node.list()
        node.settle()
        #expect(Set(node.schedulerTests.joined()) == Set(Scheduler.ofLinux).subtracting([.roundRobin]))
        #expect(scheduler(node) == .roundRobin)
        let notes = node.notices.compactMap(\.event).map(\.note)
        #expect(
            notes == [
                "Ignored: kube-ipvs-proxy.io/scheduler \"\(name)\": is not available in this node's kernel, which has rr, lc, sh"
            ])
    }

    @Test func `whose test fails is used, and the failure is logged`() {
        var node = node()
        node.failsSchedulerTests = true
        node.absorb([web(["kube-ipvs-proxy.io/scheduler": "mh"]).change, web.slice([1])])
        node.list()
        node.settle()
        #expect(scheduler(node) == .maglevHash)
        #expect(node.notices.contains { $0.message == "Failed to test IPVS schedulers; using them" && $0.metadata["schedulers"] == "mh" })
    }
}
