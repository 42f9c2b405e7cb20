internal import ArgumentParser
internal import FoundationEssentials
internal import KernelDataplane
internal import KubeProxyConfiguration
internal import Kubernetes
internal import KubernetesAPI
internal import LocalhostNodePorts
internal import Logging
internal import Manifests
internal import Model
internal import NodeProxy
internal import Reconciler
internal import ServiceLifecycle
internal import StatusServer
internal import SyncLoop
internal import SystemCalls
internal import Translation

/// Creates and connects the parts of the program.
struct Assembly {
    let configuration: ProxyConfiguration
    let input: ClusterInput
    /// Without changes, for a new proxy.
    private let loop: SyncLoop
    private let kernel: NodeProxy.Kernel
    /// The families that the node has, but that cannot be served, each with the reason.
    let unservedFamilies: [IPFamily: String]
    let probing: Probing
    let logger: Logger

    /// What the program may do to the kernel while it starts.
    enum KernelUse {
        /// Only read it.
        case reading
        /// Load modules, and create temporary objects that show what it supports: for a standby.
        case probing
        /// Also change its settings.
        case serving
    }

    /// For a command, which fails if a probe of this node times out.
    ///
    /// Fails with one line that names the part that this node lacks and how to install it.
    init(_ configuration: ProxyConfiguration, _ use: KernelUse, _ logger: Logger) async throws {
        let input = try await ClusterInput(configuration, environment: ProcessInfo.processInfo.environment, logger)
        do {
            self = try await Assembly(configuration, input, use, Probing(.ofCommands, logger), logger)
        } catch {
            await input.close()
            throw error
        }
    }

    /// - Parameter probing: runs the probes of this node.
    init(_ configuration: ProxyConfiguration, _ input: ClusterInput, _ use: KernelUse, _ probing: Probing, _ logger: Logger) async throws {
        self.configuration = configuration
        self.input = input
        self.probing = probing
        self.logger = logger
        let settings: TranslationSettings
        (settings, kernel, unservedFamilies) = try await Assembly.kernel(
            configuration, use, hasNode: input.hasNode, probing, logger)
        loop = SyncLoop(
            SyncLoop.Settings(configuration, hasNode: input.hasNode, testsSchedulers: use != .reading), translation: Translation(settings),
            start: Date(), isStandby: use == .probing)
    }

    /// The kernel, and the settings of its rules.
    private static func kernel(
        _ configuration: ProxyConfiguration, _ use: KernelUse, hasNode: Bool, _ probing: Probing, _ logger: Logger
    ) async throws -> (TranslationSettings, NodeProxy.Kernel, unserved: [IPFamily: String]) {
        try await probing.run("privilege") { try KernelSetup.requirePrivilege() }
        let changesKernel = use != .reading
        if changesKernel { try await KernelSetup(configuration).prepare(probing, logger) }
        if use == .serving { try await KernelSetup(configuration).applySettings(probing, logger) }
        let enabled = try await probing.run("IPv6") { try KernelSetup.enabledFamilies() }
        var unserved: [IPFamily: String] = [:]
        if changesKernel {
            unserved = try await probing.run("IPv6") { try KernelSetup(configuration).familiesWithoutIPVS(among: enabled) }
        }
        var needed = configuration.translationSettings(families: enabled, hasRandomFully: false)
        let filter = try await probing.run("packet filter") {
            try await NodePacketFilter.detect(
                PacketFilterKind(rawValue: configuration.packetFilter.rawValue),
                backend: IPTables.Backend(rawValue: configuration.iptables.rawValue), families: enabled.subtracting(unserved.keys),
                catalogue: { kind in
                    needed.packetFilter = kind
                    return Translation.catalogue(needed)
                },
                testingRules: changesKernel)
        }
        let families = filter.families
        log(filter, logger)
        if changesKernel { OtherFirewalls.report(for: filter, logger) }
        unserved.merge(filter.unavailable) { ofIPVS, _ in ofIPVS }
        for (family, reason) in unserved.sorted(by: { $0.key.rawValue < $1.key.rawValue }) {
            logger.warning("Not serving IP family", metadata: ["family": "\(family.rawValue)", "reason": "\(reason)"])
        }
        for backend in changesKernel ? await filter.unreadableBackends() : [] {
            logger.warning(
                "Cannot check iptables-\(backend) for rules of a node proxy: the kernel has its tables, and the program is not installed",
                metadata: [
                    "advice":
                        "run iptables-\(backend)-save on the host; if it prints KUBE-SERVICES, install iptables-\(backend) where the proxy runs and restart it, or reboot the node"
                ])
        }
        try check(configuration, families, hasNode: hasNode, warns: changesKernel, logger)
        var settings = configuration.translationSettings(families: families, hasRandomFully: filter.iptables?.hasRandomFully ?? true)
        // Testing the others would change the kernel: those that Services ask for are tested in the sync loop.
        settings.schedulers = changesKernel ? [configuration.scheduler] : Scheduler.ofLinux
        settings.packetFilter = filter.kind
        let catalogue = Translation.catalogue(settings)
        let kernel = try await probing.run("kernel interfaces") {
            NodeProxy.Kernel(
                dataplane: try KernelDataplane(catalogue: catalogue, packetFilter: filter.kind),
                reader: try KernelDataplane(catalogue: catalogue, packetFilter: filter.kind),
                rules: try filter.rules(catalogue))
        }
        return (settings, kernel, unserved)
    }

    private static func log(_ filter: NodePacketFilter, _ logger: Logger) {
        let families = "\(filter.families.map(\.rawValue).sorted())"
        logger.info(
            "Selected packet filter",
            metadata: ["packetFilter": "\(filter.kind)", "reason": "\(filter.reason)", "families": "\(families)"])
        guard let iptables = filter.iptables else { return }
        var found: Logger.Metadata = ["backend": "\(iptables.backend)", "families": "\(families)"]
        if !iptables.skipped.isEmpty { found["skipped"] = "\(iptables.skipped)" }
        logger.info("Detected iptables", metadata: found)
    }

    /// A proxy that is not running yet.
    func proxy(_ observers: [any ProxyObserver] = []) -> NodeProxy {
        NodeProxy(
            loop, feed: input.source.feed, kernel: kernel, checkNode: checkingNode(loop.families), observers: observers,
            events: input.events, logger: logger)
    }

    /// Fails if the node does not support the IP family of the configuration.
    ///
    /// - Parameter hasNode: whether there will be a Node object; then warnings wait for it, as it may have more addresses.
    private static func check(
        _ configuration: ProxyConfiguration, _ supported: Set<IPFamily>, hasNode: Bool, warns: Bool, _ logger: Logger
    ) throws(ConfigurationError) {
        let families = NodeFamilies(supported: supported, bindAddress: configuration.bindAddress)
        guard supported.contains(families.primary) else {
            throw ConfigurationError(
                problems: [
                    .init(
                        flag: "--bind-address", value: "\(configuration.bindAddress)",
                        message: "no support for primary IP family \"\(families.primary.rawValue)\" on this node")
                ])
        }
        let familyMismatches = configuration.familyMismatches(families)
        if let error = familyMismatches.errors.first {
            throw ConfigurationError(problems: [.init(flag: "--cluster-cidr", value: "\(configuration.localTraffic)", message: error)])
        }
        guard warns, !hasNode else { return }
        for warning in familyMismatches.warnings {
            logger.warning("The configuration may be incomplete or incorrect", metadata: ["problem": "\(warning)"])
        }
    }

    /// Loads the current cluster state into a proxy, for commands that read it once.
    ///
    /// - Returns: the problems in manifests, which are also logged.
    func loadOnce(into proxy: NodeProxy) async throws -> [SourceProblem] {
        switch input {
        case .manifests(let directory, let path):
            let problems = directory.load()
            guard await proxy.absorbOnce(directory.feed.take()) else {
                throw ConfigurationError(
                    problems: [.init(flag: "--manifests", value: path, message: "must be a readable directory")])
            }
            return problems
        case .api(let source, _, _, _, _):
            try await listOnce(source, proxy)
            return []
        }
    }

    /// Returns once Services, EndpointSlices and this node's Node have been listed; some seconds later if there is no Node object.
    private func listOnce(_ source: APISource, _ proxy: NodeProxy) async throws {
        try await withThrowingTaskGroup { group in
            defer { group.cancelAll() }
            group.addTask { try await source.run() }
            group.addTask {
                try await Task.sleep(for: Assembly.listLimit)
                throw ClusterReadTimeout()
            }
            for await _ in source.feed.wakeups where await proxy.absorbOnce(source.feed.take()) { break }
            for _ in 0..<50 {
                if await proxy.snapshot.node != nil { return }
                try await Task.sleep(for: .milliseconds(100))
                await proxy.absorbOnce(source.feed.take())
            }
            logger.warning("Node object not found; continuing without it", metadata: ["node": "\(configuration.nodeName)"])
        }
    }

    private static let listLimit: Duration = .seconds(60)

    /// The API server did not list the objects in time.
    struct ClusterReadTimeout: Error, CustomStringConvertible {
        let description =
            "the API server did not list Services and EndpointSlices within \(Assembly.listLimit.components.seconds) s; see the log for its errors"
    }

    /// The services of the running program, in reverse order of shutdown; without the health server, which starts earlier.
    ///
    /// - Parameters:
    ///   - start: receives the status board, which the health server uses.
    ///   - successor: decides when a standby takes over.
    ///   - shown: the effective configuration, for `/configz`.
    ///   - flags: for `/flagz`.
    func services(
        _ start: StartupHealth, _ successor: Successor, showing shown: KubeProxyConfiguration, flags: FlagListing
    ) async throws -> [any ServiceLifecycle.Service] {
        DescriptorLimit.raise(logger)
        let board = StatusBoard(families: loop.families, syncPeriod: configuration.syncPeriod, expectsNode: input.hasNode)
        let localhostNodePorts = configuration.localhostNodePorts ? LocalhostNodePorts(events: input.events, logger: logger) : nil
        let memory = MemoryRelease()
        var observers: [any ProxyObserver] = [board, memory]
        if let localhostNodePorts { observers.append(LocalhostFollower(localhostNodePorts: localhostNodePorts)) }
        if let identities = input.identities { observers.append(IdentityFollower(identities: identities)) }
        let proxy = proxy(observers)
        let succession = SuccessionService(
            successor: successor, isStandby: loop.isStandby, setup: KernelSetup(configuration), proxy: proxy, board: board,
            probing: probing,
            logger: logger)
        if loop.isStandby { board.wait(asStandbyFor: await successor.waitingFor ?? "another program") }
        let servers = try await statusServices(board, proxy, memory, successor, shown: shown, flags: flags)
        let watch = OtherProxyWatch(
            nodeName: configuration.nodeName, interval: max(configuration.syncPeriod, .seconds(30)), events: input.events, logger: logger)
        let settings = SettingsWatch(setup: KernelSetup(configuration), interval: configuration.syncPeriod, logger: logger)
        // Last, so that the health server reports the pending probe until here.
        start.start(board)
        let watches: [any ServiceLifecycle.Service] = [
            GatedService(watch, after: successor.isServing), GatedService(settings, after: successor.isServing),
        ]
        return input.services + servers + [proxy] + watches + [memory, succession] + [localhostNodePorts].compactMap(\.self)
    }

    /// The check for mismatches between the configuration and the Node object.
    private func checkingNode(_ supported: Set<IPFamily>) -> @Sendable (Node) throws(NodeProxyError) -> [String] {
        let configuration = configuration
        return { node throws(NodeProxyError) in
            let families = NodeFamilies(
                supported: supported, bindAddress: configuration.bindAddress, hostAddresses: node.hostAddresses)
            let familyMismatches = configuration.familyMismatches(families, podCIDRs: node.podCIDRs.compactMap(CIDR.init))
            if let error = familyMismatches.errors.first { throw .familyMismatch(node: configuration.nodeName, problem: error) }
            return familyMismatches.warnings
        }
    }
}

/// Updates the listeners on 127.0.0.1 after each sync.
private struct LocalhostFollower: ProxyObserver {
    let localhostNodePorts: LocalhostNodePorts

    func synced(_ outcome: SyncOutcome, _ status: ProxyStatus, desired: NodeState) {
        localhostNodePorts.follow(outcome.changed, of: desired)
    }
}

/// Updates the UIDs of Services, which Events refer to.
private struct IdentityFollower: ProxyObserver {
    let identities: ServiceIdentities

    func changed(_ changes: [ClusterChange], node: Node?, pending: PendingChanges) { identities.apply(changes) }
}

extension SyncLoop.Settings {
    fileprivate init(_ configuration: ProxyConfiguration, hasNode: Bool, testsSchedulers: Bool) {
        self.init(
            minSyncPeriod: configuration.minSyncPeriod, syncPeriod: configuration.syncPeriod, drainTimeout: configuration.drainTimeout,
            excludedCIDRs: configuration.excludeCIDRs,
            nodeWait: hasNode ? NodeWait(needsPodCIDRs: configuration.localTraffic == .nodeCIDR) : nil,
            untestedSchedulers: testsSchedulers ? Scheduler.ofLinux.filter { $0 != configuration.scheduler } : [])
    }
}

extension KernelSetup {
    fileprivate init(_ configuration: ProxyConfiguration) {
        self.init(
            scheduler: configuration.scheduler, stateDirectory: configuration.stateDirectory, timeouts: configuration.ipvsTimeouts,
            conntrack: configuration.conntrack, strictARP: configuration.strictARP, oomScoreAdj: configuration.oomScoreAdj)
    }
}

/// The periodic audit of kernel settings, as a service of the program.
struct SettingsWatch: ServiceLifecycle.Service {
    let setup: KernelSetup
    let interval: Duration
    let logger: Logger

    func run() async throws {
        try await cancelWhenGracefulShutdown {
            do {
                try await setup.auditSettings(every: interval, logger)
            } catch is CancellationError {
                return
            }
        }
    }
}
