internal import FoundationEssentials
internal import Glibc
internal import KernelDataplane
internal import Kubernetes
internal import Logging
internal import NamespaceLock
internal import StatusAPI
internal import StatusServer
internal import Synchronization
internal import SyncLoop
internal import Text

/// Carries out the steps of `Succession`: holds the network namespace, or waits for its holder and for kube-proxy.
actor Successor {
    private var succession: Succession
    private var holder: NamespaceHolder?
    private var kubeProxies: [RunningKubeProxy] = []
    /// Kept until the process ends, which releases the namespace.
    private var namespace: HeldNamespace?
    private let events: any EventRecorder
    private let logger: Logger

    /// Opens when this instance holds the network namespace, or serves without it.
    nonisolated let isFirst = Gate()
    /// Opens when this instance may change the kernel.
    nonisolated let isServing = Gate()

    init(nodeName: String, events: any EventRecorder, _ logger: Logger) {
        succession = Succession(nodeName: nodeName)
        self.events = events
        self.logger = logger
    }

    /// What this instance waits for; nil if it may serve.
    var waitingFor: String? { succession.waitingFor }

    /// Carries out the steps until one has to wait.
    ///
    /// - Returns: whether this instance may serve.
    func begin() async -> Bool {
        while await advance() {}
        return succession.step == .takeOver
    }

    /// Waits until this instance may serve, or throws if the task is cancelled.
    ///
    /// - Parameter changed: called with what it waits for.
    func wait(_ changed: (String?) -> Void) async throws {
        while !(await begin()) {
            changed(succession.waitingFor)
            try await waitOnce()
        }
    }

    /// Records that this instance serves, and goes on trying to hold the namespace if it does not. Ends when the task is cancelled.
    func serve() async throws {
        isServing.open()
        succession.serving()
        while succession.step != .none {
            while await advance() {}
            if succession.step != .none { try await waitOnce() }
        }
        // A service that returns ends the program.
        while true { try await Task.sleep(for: .seconds(3600)) }
    }

    /// Carries out a step that need not wait; returns false if there is none.
    private func advance() async -> Bool {
        switch succession.step {
        case .claim:
            holder = nil
            succession.claimed(await claim())
        case .findKubeProxies:
            isFirst.open()
            let found = await Successor.findKubeProxies()
            if case .success(let found) = found { kubeProxies = found }
            succession.searched(found.map { $0.map(\.description) }.mapError { $0 })
        case .awaitHolder, .awaitKubeProxies, .pause, .takeOver, .none: return false
        }
        report()
        return true
    }

    private func waitOnce() async throws {
        switch succession.step {
        case .awaitHolder:
            try await holder?.end()
            succession.holderEnded()
        case .awaitKubeProxies:
            repeat {
                try await Task.sleep(for: Successor.pollInterval)
            } while kubeProxies.contains(where: \.isRunning)
            succession.kubeProxiesEnded()
        case .pause(let duration):
            try await Task.sleep(for: duration)
            succession.paused()
        case .claim, .findKubeProxies, .takeOver, .none: break
        }
        report()
    }

    private static let pollInterval = Duration.milliseconds(100)

    private func claim() async -> Succession.Claim {
        switch await NamespaceLock.claim(as: .ofThisProcess) {
        case .held(let namespace):
            self.namespace = namespace
            return .held
        case .other(let holder):
            self.holder = holder
            return .other(holder.description)
        case .untrusted(let pid, let user): return .untrusted(pid: pid, user: user)
        case .failed(let reason, let isTemporary): return .failed(reason: reason, isTemporary: isTemporary)
        }
    }

    @concurrent private static func findKubeProxies() async -> Result<[RunningKubeProxy], DataplaneError> {
        do throws(DataplaneError) {
            return .success(try RunningKubeProxy.find())
        } catch {
            return .failure(error)
        }
    }

    private func report() {
        for notice in succession.popNotices() {
            let metadata = notice.metadata.mapValues { Logger.MetadataValue.string($0) }
            switch notice.severity {
            case .debug: logger.debug("\(notice.message)", metadata: metadata)
            case .info: logger.info("\(notice.message)", metadata: metadata)
            case .warning: logger.warning("\(notice.message)", metadata: metadata)
            case .error: logger.error("\(notice.message)", metadata: metadata)
            }
            if let event = notice.event { events.record(event) }
        }
    }
}

// MARK: Commands

extension Successor {
    /// A command that changes the kernel does not run beside a proxy.
    struct Refusal: Error, CustomStringConvertible {
        var description: String
    }

    /// Holds the network namespace while a command changes the kernel, until the process ends.
    ///
    /// Fails if another instance holds it, or if kube-proxy runs in it.
    ///
    /// - Parameter command: its name, for the error.
    static func holdNamespace(for command: String, _ logger: Logger) async throws {
        switch await NamespaceLock.claim(as: .ofThisProcess) {
        case .held(let namespace): heldByCommand.withLock { $0 = namespace }
        case .other(let holder):
            throw Refusal(
                description:
                    "\(command): another instance of kube-ipvs-proxy holds this network namespace and would undo the changes (\(holder.description)): "
                    + "stop it first (kubectl -n kube-system delete daemonset kube-ipvs-proxy; on a node without a cluster, systemctl stop kube-ipvs-proxy)"
            )
        case .untrusted(let pid, let user):
            logger.warning(
                "Continuing without holding the network namespace: the socket is in use",
                metadata: ["pid": "\(pid)", "uid": "\(user.map { "\($0)" } ?? "unknown")"])
        case .failed(let reason, _):
            logger.warning("Continuing without holding the network namespace", metadata: ["error": "\(reason)"])
        }
        let found = try RunningKubeProxy.find()
        guard found.isEmpty else {
            throw Refusal(
                description:
                    "\(command): kube-proxy is running on this node and would undo the changes (\(found.map(\.description).joined(separator: "; "))): "
                    + Succession.advice)
        }
    }
}

/// Kept until the process ends.
private let heldByCommand = Mutex<HeldNamespace?>(nil)

extension InstanceDescription {
    /// This process.
    fileprivate static var ofThisProcess: InstanceDescription {
        let environment = ProcessInfo.processInfo.environment
        return InstanceDescription(
            pid: Int(ProcessInfo.processInfo.processIdentifier), host: ProcessInfo.processInfo.hostName, pod: environment["POD_NAME"],
            version: programVersion, command: CommandLine.arguments.joined(separator: " "), started: started)
    }

    private static let started = Moment.now.wall.rfc3339
}
