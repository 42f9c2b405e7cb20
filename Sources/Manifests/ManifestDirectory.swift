internal import Dispatch
public import Kubernetes
public import Logging
public import Model
internal import Synchronization
internal import SystemCalls

/// The manifests of a directory as a source of objects, kept current by `inotify(7)`.
///
/// Every `*.yaml`, `*.yml` and `*.json` that is not hidden counts, not those of directories inside. A file with a mistake in it keeps its
/// last good version in force; one that never had any counts as far as it is good.
public final class ManifestDirectory: ClusterSource {
    public let feed = ChangeFeed()

    private let directory: String
    private let logger: Logger
    private let onProblem: @Sendable (SourceProblem) -> Void
    private let library: Mutex<ManifestLibrary>
    /// Reading and waiting block a thread, which must be none of the few that all tasks share.
    private let queue = DispatchQueue(label: "manifests")

    public init(
        _ directory: String, settings: ManifestSettings = ManifestSettings(), logger: Logger,
        onProblem: @escaping @Sendable (SourceProblem) -> Void = { _ in }
    ) {
        self.directory = directory
        self.logger = logger
        self.onProblem = onProblem
        library = Mutex(ManifestLibrary(directory: directory, settings: settings))
    }

    /// Reads what is there now and publishes it; returns what is wrong with it, which is also logged and handed to `onProblem`.
    ///
    /// The feed counts as synced afterwards, unless the directory itself could not be read.
    @discardableResult
    public func load() -> [SourceProblem] {
        look { $0.scan() }.problems
    }

    /// Follows the directory until the task is cancelled.
    public func run() async throws {
        let stop = try StopSignal()
        await withTaskCancellationHandler {
            await withCheckedContinuation { finished in
                queue.async {
                    self.follow(until: stop)
                    finished.resume()
                }
            }
        } onCancel: {
            stop.raise()
        }
    }

    /// How often all files are looked at although nothing was told: for what no watch can see, such as a write through a network.
    static let sweepInterval = Duration.seconds(30)

    private func follow(until stop: StopSignal) {
        var watch = DirectoryWatch(directory, isOfInterest: ManifestFile.isManifest)
        var schedule = ManifestSchedule()
        var sight = watch.sight
        // The watch stands before the first look, so that nothing can happen in between.
        _ = watch.renew()
        follow(look { $0.scan() }.files, &watch)
        var lastSweep = ContinuousClock.now
        while true {
            report(watch.sight, before: &sight)
            let pause = ManifestDirectory.pause(watch.sight)
            let wake = min(schedule.deadline ?? lastSweep + pause, lastSweep + pause)
            guard let events = watch.wait(milliseconds: ManifestDirectory.milliseconds(until: wake), stop: stop) else { return }
            let now = ContinuousClock.now
            schedule.take(events, at: now)
            if watch.renew() { schedule.take([.everything], at: now) }
            let due = schedule.due(at: now, isEmpty: isEmpty)
            if due.everything || lastSweep + pause <= now {
                let unsettled = schedule.unsettled.union(due.files)
                follow(look { $0.scan(except: unsettled) }.files, &watch)
                lastSweep = now
            }
            if !due.files.isEmpty { follow(look { $0.read(due.files) }.files, &watch) }
        }
    }

    private static func pause(_ sight: DirectoryWatch.WatchQuality) -> Duration {
        switch sight {
        case .watching: sweepInterval
        case .absent: .milliseconds(50)
        case .blind: .seconds(1)
        }
    }

    private static func milliseconds(until time: ContinuousClock.Instant) -> Int32 {
        let (seconds, attoseconds) = (time - .now).components
        // Rounded up, or the last millisecond would be spent in a busy loop.
        return Int32(clamping: max(0, seconds * 1000 + attoseconds / 1_000_000_000_000_000 + 1))
    }

    private func isEmpty(_ name: String) -> Bool {
        // A file that cannot be looked at is not waited for: reading it tells what is wrong.
        (try? FileStamp(path: "\(directory)/\(name)"))?.size == 0
    }

    /// Watches what links lead to; what changed there before the watch stood is read after all.
    private func follow(_ names: [String], _ watch: inout DirectoryWatch) {
        var names = names
        // Whoever changes a link's target all the time is left to the sweep.
        for _ in 0..<3 where !names.isEmpty {
            let links = followLinks(names, &watch)
            names = links.isEmpty ? [] : look { $0.readChanged(links) }.files
        }
    }

    /// Returns those of the names that are links.
    private func followLinks(_ names: [String], _ watch: inout DirectoryWatch) -> [String] {
        var links: [String] = []
        for name in names {
            // Gone: then there is no link to follow either.
            let isLink = (try? FileStamp(path: "\(directory)/\(name)", followsLinks: false))?.isSymbolicLink ?? false
            watch.follow(linkNamed: name, isLink: isLink)
            if isLink { links.append(name) }
        }
        return links
    }

    /// Looks at the directory and hands on what came of it.
    private func look(_ how: @Sendable (inout ManifestLibrary) -> ManifestLibrary.Update) -> ManifestLibrary.Update {
        let start = ContinuousClock.now
        // Published under the lock: two looks at once must not overtake each other.
        let (update, objects) = library.withLock { library in
            let update = how(&library)
            // Doubt ends only after what ends it is known.
            if library.isIncomplete { feed.setIncomplete(true) }
            feed.publish(update.changes)
            feed.setIncomplete(library.isIncomplete)
            if library.isLoaded { feed.markSynced() }
            return (update, library.objectCount)
        }
        for problem in update.problems { report(problem) }
        for warning in update.warnings { logger.warning("Ignoring part of a manifest", metadata: ["problem": "\(warning)"]) }
        if !update.changes.isEmpty {
            logger.info(
                "Manifests changed",
                metadata: [
                    "files": "\(update.files.count)", "changes": "\(update.changes.count)", "objects": "\(objects)",
                    "duration": "\(ContinuousClock.now - start)",
                ])
        }
        return update
    }

    private func report(_ problem: SourceProblem) {
        logger.error("Found manifest problem", metadata: ["problem": "\(problem)"])
        onProblem(problem)
    }

    private func report(_ sight: DirectoryWatch.WatchQuality, before: inout DirectoryWatch.WatchQuality) {
        defer { before = sight }
        guard case .blind(let error) = sight, sight != before else { return }
        report(
            SourceProblem(
                file: directory,
                message:
                    "cannot be watched (\(error)): polling it once a second instead; raise fs.inotify.max_user_instances or max_user_watches"
            ))
    }
}

/// What a control plane chooses from for Services whose manifests leave it open.
public struct ManifestSettings: Hashable, Sendable {
    /// `--service-cluster-ip-range` of kube-apiserver: at most one range a family, the first being that of Services that name none.
    public var serviceClusterIPRanges: [CIDR]
    /// `--service-node-port-range` of kube-apiserver.
    public var nodePorts: ClosedRange<UInt16>

    /// From ServiceCIDRs of the manifests: cluster IPs may be named from them, and none is chosen from them.
    var addedRanges: [CIDR] = []

    public init(serviceClusterIPRanges: [CIDR] = ManifestSettings.defaultRanges, nodePorts: ClosedRange<UInt16> = 30000...32767) {
        self.serviceClusterIPRanges = serviceClusterIPRanges
        self.nodePorts = nodePorts
    }

    /// `10.96.0.0/12`, as kubeadm has it.
    public static let defaultRanges = CIDR(IPAddress(v4: 0x0a60_0000), prefixLength: 12).map { [$0] } ?? []

    /// The families that Services can have, in order of preference.
    var families: [IPFamily] { serviceClusterIPRanges.map(\.family) }

    func range(of family: IPFamily) -> CIDR? { serviceClusterIPRanges.first { $0.family == family } }

    /// The ranges of a family that a cluster IP may be in; none where the family's are not known.
    func ranges(of family: IPFamily) -> [CIDR] { (serviceClusterIPRanges + addedRanges).filter { $0.family == family } }
}
