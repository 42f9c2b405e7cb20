internal import Kubernetes
public import StatusAPI

/// Decides when this instance may change the kernel, as a value: once it holds the network namespace and no kube-proxy runs in it.
///
/// The driver carries out `step` and passes the result to the method named with it, which sets the next step.
public struct Succession: Sendable {
    public enum Step: Hashable, Sendable {
        /// Try to hold the network namespace, and pass the result to `claimed`.
        case claim
        /// Wait until the holder has ended, and call `holderEnded`.
        case awaitHolder
        /// Search for running kube-proxies, and pass their descriptions to `searched`.
        case findKubeProxies
        /// Wait until those found have ended, and call `kubeProxiesEnded`.
        case awaitKubeProxies
        /// Wait for this time, and call `paused`.
        case pause(Duration)
        /// Serve, and call `serving`.
        case takeOver
        /// Nothing is left to do.
        case none
    }

    /// The result of trying to hold the network namespace.
    public enum Claim: Hashable, Sendable {
        /// This instance holds it.
        case held
        /// Another instance, which root started, holds it.
        case other(InstanceDescription)
        /// A process that root did not start uses the name. It must not be able to keep this instance from serving.
        ///
        /// - Parameters:
        ///   - user: nil if the kernel does not tell.
        case untrusted(pid: Int, user: UInt32?)
        /// - Parameter isTemporary: whether the same attempt may succeed later.
        case failed(reason: String, isTemporary: Bool)
    }

    public private(set) var step = Step.claim
    /// Whether this instance holds the network namespace.
    public private(set) var holdsNamespace = false
    /// What this instance waits for, such as `pid 123, version 0.1.0: kube-ipvs-proxy run`; nil if it may serve.
    public private(set) var waitingFor: String?

    private let nodeName: String
    private var isServing = false
    private var notices: [Announcer.Notice] = []
    /// What was reported last, so that each state is reported once.
    private var reported: String?
    private var claimAfterPause = true

    /// The time between attempts after a temporary failure.
    static let retryInterval = Duration.seconds(1)
    /// The time between attempts to hold the namespace while this instance serves without it.
    static let claimInterval = Duration.seconds(10)

    public init(nodeName: String) { self.nodeName = nodeName }

    /// Removes and returns the notices that are not yet logged.
    public mutating func popNotices() -> [Announcer.Notice] {
        defer { notices = [] }
        return notices
    }

    // MARK: The network namespace

    /// Handles the result of `Step.claim`.
    public mutating func claimed(_ claim: Claim) {
        switch claim {
        case .held:
            holdsNamespace = true
            if isServing { notices.append(.init(.info, "Now holding this network namespace")) }
            step = isServing ? .none : .findKubeProxies
        case .other(let holder): lost(to: holder)
        case .untrusted(let pid, let user):
            let metadata = ["pid": pid > 0 ? "\(pid)" : "unknown", "uid": user.map { "\($0)" } ?? "unknown"]
            let note =
                "a process that root did not start uses the socket @kube-ipvs-proxy of this network namespace (pid \(metadata["pid"] ?? ""), "
                + "uid \(metadata["uid"] ?? "")): end it; until then, nothing prevents a second instance from changing the kernel"
            report(.error, "Serving without holding the network namespace: the socket is in use", metadata, note)
            serveWithoutNamespace()
        case .failed(let reason, let isTemporary):
            report(
                isTemporary ? .warning : .error,
                isTemporary ? "Failed to hold the network namespace; retrying" : "Serving without holding the network namespace",
                ["error": reason], isTemporary ? nil : "cannot hold the network namespace: \(reason)")
            if isTemporary { pause(Succession.retryInterval, thenClaim: true) } else { serveWithoutNamespace() }
        }
    }

    private mutating func lost(to holder: InstanceDescription) {
        let text = holder.description
        guard !isServing else {
            report(
                .error, "Another instance also serves this network namespace", ["holder": text],
                "another instance of kube-ipvs-proxy also serves this node (\(text)): stop one of them")
            return pause(Succession.claimInterval, thenClaim: true)
        }
        waitingFor = text
        report(
            .info, "Waiting as standby: another instance holds this network namespace", ["holder": text],
            "Waiting as standby until the instance of kube-ipvs-proxy that serves this node ends: \(text)", eventType: .normal)
        step = .awaitHolder
    }

    private mutating func serveWithoutNamespace() {
        if isServing { pause(Succession.claimInterval, thenClaim: true) } else { step = .findKubeProxies }
    }

    /// Handles the end of the holder, however it ended.
    public mutating func holderEnded() {
        notices.append(.init(.info, "The instance that held this network namespace ended", ["holder": waitingFor ?? ""]))
        reported = nil
        step = .claim
    }

    // MARK: kube-proxy

    /// Handles the result of `Step.findKubeProxies`.
    ///
    /// - Parameter result: the descriptions of those that run for certain; a failure decides nothing.
    public mutating func searched(_ result: Result<[String], any Error>) {
        switch result {
        case .success(let found) where found.isEmpty:
            waitingFor = nil
            step = .takeOver
        case .success(let found):
            let text = found.sorted().joined(separator: "; ")
            waitingFor = "kube-proxy: \(text)"
            report(
                .warning, "Waiting as standby: kube-proxy is running on this node", ["kubeProxy": text, "advice": Succession.advice],
                "Waiting as standby until kube-proxy on this node ends: \(text); \(Succession.advice)")
            step = .awaitKubeProxies
        case .failure(let error):
            report(.warning, "Failed to search for kube-proxy; retrying", ["error": "\(error)"], nil)
            pause(Succession.retryInterval, thenClaim: false)
        }
    }

    /// What to do about a running kube-proxy.
    public static let advice =
        "stop it (kubectl -n kube-system delete daemonset kube-proxy; k3s: --disable-kube-proxy; on a node without a cluster, its systemd unit)"

    /// Handles the end of the kube-proxies. Without the namespace, another instance may hold it by now.
    public mutating func kubeProxiesEnded() { step = holdsNamespace ? .findKubeProxies : .claim }

    // MARK: Waiting and serving

    private mutating func pause(_ duration: Duration, thenClaim: Bool) {
        claimAfterPause = thenClaim
        step = .pause(duration)
    }

    public mutating func paused() { step = claimAfterPause ? .claim : .findKubeProxies }

    /// Records that this instance serves. Without the namespace, it goes on trying to hold it.
    public mutating func serving() {
        isServing = true
        if holdsNamespace { step = .none } else { pause(Succession.claimInterval, thenClaim: true) }
    }

    /// Logs a state once, with an Event on the Node if there is a note.
    private mutating func report(
        _ severity: Announcer.Notice.Severity, _ message: String, _ metadata: [String: String], _ note: String?,
        eventType: ClusterEvent.EventType = .warning
    ) {
        let key = "\(message) \(metadata.sorted { $0.key < $1.key })"
        guard key != reported else { return }
        reported = key
        let event = note.map {
            ClusterEvent(
                eventType, reason: isServing || waitingFor == nil ? "NamespaceNotHeld" : "Standby", action: "StartKubeProxy",
                regarding: .node(nodeName), note: $0)
        }
        notices.append(.init(severity, message, metadata, event: event))
    }
}
