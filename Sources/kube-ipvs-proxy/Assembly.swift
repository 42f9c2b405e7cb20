internal import ArgumentParser
internal import KubeProxyConfiguration
internal import Glibc
internal import KernelDataplane
internal import Kubernetes
internal import Logging
internal import Model
internal import NodeProxy
internal import Reconciler
internal import Translation

/// Wires the parts of the program together.
struct Assembly {
    let configuration: ProxyConfiguration
    let source: ManifestDirectory
    let synchronizer: Synchronizer

    /// Fails with one line that says what is missing on this machine and how to get it.
    init(_ configuration: ProxyConfiguration, changesKernel: Bool, _ logger: Logger) async throws {
        self.configuration = configuration
        source = try Assembly.source(configuration, logger)
        try KernelSetup.requirePrivilege()
        if changesKernel {
            try await KernelSetup(scheduler: configuration.scheduler, stateDirectory: configuration.stateDirectory).run(logger)
        }
        let iptables = try await IPTables.detect(
            IPTables.Backend(rawValue: configuration.iptables.rawValue), trying: changesKernel)
        logger.info(
            "Found iptables", metadata: ["backend": "\(iptables.backend)", "families": "\(iptables.families.map(\.rawValue).sorted())"])
        let families = try KernelSetup.supportedFamilies(iptables)
        let settings = configuration.translationSettings(families: families, hasRandomFully: iptables.hasRandomFully)
        let dataplane = try KernelDataplane(catalogue: Translation.catalogue(settings), iptables: iptables)
        synchronizer = Synchronizer(
            translation: Translation(settings), dataplane: dataplane, drainTimeout: configuration.drainTimeout,
            excludedCIDRs: configuration.excludeCIDRs, logger: logger)
    }

    private static func source(_ configuration: ProxyConfiguration, _ logger: Logger) throws -> ManifestDirectory {
        guard let directory = configuration.manifests else {
            throw ValidationError("no source of Services: give a directory of manifests with --manifests")
        }
        return ManifestDirectory(
            directory, settings: ManifestSettings(serviceClusterIPRanges: configuration.serviceClusterIPRanges), logger: logger)
    }

    /// Reads what the source holds now and hands it to the synchronizer, for commands that look only once.
    ///
    /// - Returns: what is wrong with it, which is also logged.
    func loadOnce() async throws(ConfigurationError) -> [SourceProblem] {
        let problems = source.load()
        let batch = source.feed.take()
        guard batch.synced else {
            let problem = ConfigurationError.Problem(
                flag: "--manifests", value: configuration.manifests ?? "", message: "must be a readable directory")
            throw ConfigurationError(problems: [problem])
        }
        await synchronizer.absorb(batch.changes)
        await synchronizer.holdBack(batch.isInDoubt)
        return problems
    }

    var proxy: NodeProxy {
        NodeProxy(
            feed: source.feed, synchronizer: synchronizer,
            schedule: SyncSchedule(minInterval: configuration.minSyncPeriod, maxInterval: configuration.syncPeriod))
    }
}

/// Ends the program with one line to standard error where something that a person can mend is wrong.
func reportingFailure(_ body: () async throws -> Void) async throws {
    do {
        try await body()
    } catch let error as ConfigurationError {
        fail("Error: \(error)")
    } catch let error as DataplaneError {
        fail("Error: \(error)")
    }
}

/// Says why on standard error and exits with 1.
func fail(_ message: String) -> Never {
    // There is nobody left to tell if this fails.
    _ = unsafe Array("\(message)\n".utf8).withUnsafeBytes { unsafe write(STDERR_FILENO, $0.baseAddress, $0.count) }
    exit(1)
}
