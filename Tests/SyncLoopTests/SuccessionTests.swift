import Kubernetes
import StatusAPI
import SyncLoop
import Testing

@Suite struct `The succession of instances` {
    private struct Busy: Error {}

    private let other = InstanceDescription(pid: 7, host: "node1", version: "0.1.0", command: "kube-ipvs-proxy run")
    private let name = "another instance holds this network namespace"

    private func messages(_ succession: inout Succession) -> [String] { succession.popNotices().map(\.message) }

    @Test func `serves at once if it is alone`() {
        var succession = Succession(nodeName: "node1")
        #expect(succession.step == .claim)
        succession.claimed(.held)
        #expect(succession.step == .findKubeProxies && succession.holdsNamespace)
        succession.searched(.success([]))
        #expect(succession.step == .takeOver && succession.waitingFor == nil)
        succession.serving()
        #expect(succession.step == .none && messages(&succession) == [])
    }

    @Test func `waits for the holder, names it in log and Event, and claims again when it ends`() throws {
        var succession = Succession(nodeName: "node1")
        succession.claimed(.other(other))
        #expect(succession.step == .awaitHolder && !succession.holdsNamespace)
        let notice = try #require(succession.popNotices().first)
        #expect(notice.message == "Waiting as standby: another instance holds this network namespace")
        #expect(notice.metadata["holder"] == "pid 7, host node1, version 0.1.0: kube-ipvs-proxy run")
        #expect(notice.event?.reason == "Standby" && notice.event?.regarding == .node("node1"))
        succession.holderEnded()
        #expect(succession.step == .claim)
        succession.claimed(.held)
        succession.searched(.success([]))
        #expect(succession.step == .takeOver)
    }

    @Test func `that loses the race against another standby waits for that one`() {
        var succession = Succession(nodeName: "node1")
        succession.claimed(.other(other))
        succession.holderEnded()
        _ = succession.popNotices()
        succession.claimed(.other(InstanceDescription(pid: 8)))
        #expect(succession.step == .awaitHolder && succession.waitingFor == "pid 8")
        #expect(messages(&succession).count == 1)
    }

    @Test func `waits for kube-proxy although it holds the namespace, and reports it once`() throws {
        var succession = Succession(nodeName: "node1")
        succession.claimed(.held)
        succession.searched(.success(["pid 5 (kube-proxy)"]))
        #expect(succession.step == .awaitKubeProxies && succession.holdsNamespace)
        #expect(succession.waitingFor == "kube-proxy: pid 5 (kube-proxy)")
        let notice = try #require(succession.popNotices().first)
        #expect(notice.severity == .warning && notice.event?.note.contains("pid 5 (kube-proxy)") == true)
        succession.kubeProxiesEnded()
        succession.searched(.success(["pid 5 (kube-proxy)"]))
        #expect(succession.step == .awaitKubeProxies && messages(&succession) == [])
        succession.kubeProxiesEnded()
        succession.searched(.success([]))
        #expect(succession.step == .takeOver)
    }

    @Test func `does not serve beside an instance that held the namespace while it waited for kube-proxy`() {
        var succession = Succession(nodeName: "node1")
        succession.claimed(.untrusted(pid: 9, user: 1000))
        succession.searched(.success(["pid 5 (kube-proxy)"]))
        succession.kubeProxiesEnded()
        #expect(succession.step == .claim)
        succession.claimed(.other(other))
        #expect(succession.step == .awaitHolder)
    }

    @Test func `decides nothing from a search that failed`() {
        var succession = Succession(nodeName: "node1")
        succession.claimed(.held)
        for _ in 0..<2 {
            succession.searched(.failure(Busy()))
            #expect(succession.step.isPause)
            succession.paused()
            #expect(succession.step == .findKubeProxies)
        }
        #expect(messages(&succession) == ["Failed to search for kube-proxy; retrying"])
    }

    @Test func `serves despite a process that root did not start, reports it, and goes on trying to hold the namespace`() throws {
        var succession = Succession(nodeName: "node1")
        succession.claimed(.untrusted(pid: 99, user: 1000))
        #expect(succession.step == .findKubeProxies && !succession.holdsNamespace)
        let notice = try #require(succession.popNotices().first)
        #expect(notice.severity == .error && notice.metadata == ["pid": "99", "uid": "1000"])
        #expect(notice.event?.reason == "NamespaceNotHeld" && notice.event?.note.contains("uid 1000") == true)
        succession.searched(.success([]))
        #expect(succession.step == .takeOver)
        succession.serving()
        #expect(succession.step.isPause)
        succession.paused()
        succession.claimed(.untrusted(pid: 99, user: 1000))
        #expect(succession.step.isPause)
        #expect(messages(&succession) == [], "reported once")
        succession.paused()
        succession.claimed(.held)
        #expect(succession.step == .none && succession.holdsNamespace)
    }

    @Test func `reports a second instance that serves, too`() {
        var succession = Succession(nodeName: "node1")
        succession.claimed(.untrusted(pid: 0, user: nil))
        succession.searched(.success([]))
        succession.serving()
        succession.paused()
        _ = succession.popNotices()
        succession.claimed(.other(other))
        #expect(messages(&succession) == ["Another instance also serves this network namespace"])
        #expect(succession.step.isPause)
    }

    @Test(arguments: [(true, "Failed to hold the network namespace; retrying"), (false, "Serving without holding the network namespace")])
    func `retries a claim that failed for now, and serves if it cannot succeed`(isTemporary: Bool, message: String) {
        var succession = Succession(nodeName: "node1")
        succession.claimed(.failed(reason: "too many open files", isTemporary: isTemporary))
        #expect(messages(&succession) == [message])
        if isTemporary {
            #expect(succession.step.isPause)
            succession.paused()
            #expect(succession.step == .claim)
        } else {
            #expect(succession.step == .findKubeProxies)
        }
    }

    @Test func `quotes what a holder says about itself in one bounded line`() {
        let hostile = InstanceDescription(
            pid: 1, host: "a\nb", pod: "\u{202e}pod", version: "\u{1b}[31m", command: String(repeating: "x", count: 100_000),
            started: "\0")
        let text = hostile.printable.description
        #expect(text.unicodeScalars.allSatisfy { $0.value >= 0x20 && $0.value != 0x202e } && text.count < 1000)
    }
}

extension Succession.Step {
    fileprivate var isPause: Bool { if case .pause = self { true } else { false } }
}
