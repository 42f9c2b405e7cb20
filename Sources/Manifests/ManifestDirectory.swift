internal import Dispatch
public import Kubernetes
public import Logging
public import Model
internal import Synchronization
internal import SystemCalls

/// A directory of manifests as a source of objects, watched with `inotify(7)`.
///
/// It reads every `*.yaml`, `*.yml` and `*.json` that is not hidden, and no subdirectories. The last valid version of an invalid file stays
/// in effect; of a file that never was valid, the valid objects are used.
public final class ManifestDirectory: ClusterSource {
    public let feed = ChangeFeed()

    private let directory: String
    private let logger: Logger
    private let onProblem: @Sendable (SourceProblem) -> Void
    private let library: Mutex<ManifestLibrary>
    /// Reading and waiting block a thread: not one of the few of the concurrency pool.
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

    /// Reads and publishes all manifests; returns their problems, which are also logged and passed to `onProblem`.
    ///
    /// The feed is synced afterwards, unless the directory itself could not be read.
    @discardableResult
    public func load() -> [SourceProblem] {
        update { $0.scan() }.problems
    }

    /// Watches the directory until the task is cancelled.
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

    /// How often all files are checked without an event: no watch reports, for example, a write over a network file system.
    static let sweepInterval = Duration.seconds(30)

    private func follow(until stop: StopSignal) {
        var watch = DirectoryWatch(directory, isOfInterest: ManifestFile.isManifest)
        var schedule = ManifestSchedule()
        var quality = watch.quality
        // The watch is set up before the first scan, so that no change is missed in between.
        _ = watch.renew()
        follow(update { $0.scan() }.files, &watch)
        var lastSweep = ContinuousClock.now
        while true {
            report(watch.quality, previous: &quality)
            let pause = ManifestDirectory.pause(watch.quality)
            let wake = min(schedule.deadline ?? lastSweep + pause, lastSweep + pause)
            guard let events = watch.wait(milliseconds: ManifestDirectory.milliseconds(until: wake), stop: stop) else { return }
            let now = ContinuousClock.now
            schedule.record(events, at: now)
            if watch.renew() { schedule.record([.everything], at: now) }
            let due = schedule.due(at: now, isEmpty: isEmpty)
            if due.everything || lastSweep + pause <= now {
                let unsettled = schedule.unsettled.union(due.files)
                follow(update { $0.scan(except: unsettled) }.files, &watch)
                lastSweep = now
            }
            if !due.files.isEmpty { follow(update { $0.read(due.files) }.files, &watch) }
        }
    }

    private static func pause(_ quality: DirectoryWatch.WatchQuality) -> Duration {
        switch quality {
        case .watching: sweepInterval
        case .absent: .milliseconds(50)
        case .unavailable: .seconds(1)
        }
    }

    private static func milliseconds(until time: ContinuousClock.Instant) -> Int32 {
        let (seconds, attoseconds) = (time - .now).components
        // Rounded up: otherwise the last millisecond would be a busy loop.
        return Int32(clamping: max(0, seconds * 1000 + attoseconds / 1_000_000_000_000_000 + 1))
    }

    private func isEmpty(_ name: String) -> Bool {
        // There is no point in waiting for an inaccessible file: reading it reports the error.
        (try? FileStamp(path: "\(directory)/\(name)"))?.size == 0
    }

    /// Watches the targets of symbolic links; reads those that changed before the watch was set up.
    private func follow(_ names: [String], _ watch: inout DirectoryWatch) {
        var names = names
        // Targets that keep changing are left to the sweep.
        for _ in 0..<3 where !names.isEmpty {
            let links = followLinks(names, &watch)
            names = links.isEmpty ? [] : update { $0.readChanged(links) }.files
        }
    }

    /// Watches the targets of the files that are symbolic links; returns the names of these files.
    private func followLinks(_ names: [String], _ watch: inout DirectoryWatch) -> [String] {
        var links: [String] = []
        for name in names {
            // A removed file is no link.
            let isLink = (try? FileStamp(path: "\(directory)/\(name)", followsLinks: false))?.isSymbolicLink ?? false
            watch.follow(linkNamed: name, isLink: isLink)
            if isLink { links.append(name) }
        }
        return links
    }

    /// Updates the library from the directory; publishes the changes, and logs and reports the problems.
    private func update(with read: @Sendable (inout ManifestLibrary) -> ManifestLibrary.Update) -> ManifestLibrary.Update {
        let start = ContinuousClock.now
        // Published under the lock, so that concurrent updates are published in order.
        let (update, objects) = library.withLock { library in
            let update = read(&library)
            // The source becomes complete only after the objects that complete it are published.
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

    private func report(_ quality: DirectoryWatch.WatchQuality, previous: inout DirectoryWatch.WatchQuality) {
        defer { previous = quality }
        guard case .unavailable(let error) = quality, quality != previous else { return }
        report(
            SourceProblem(
                file: directory,
                message:
                    "cannot be watched (\(error)): polling it once a second instead; raise fs.inotify.max_user_instances or max_user_watches"
            ))
    }
}

/// The ranges of cluster IPs and node ports for Services whose manifests leave them unset.
public struct ManifestSettings: Hashable, Sendable {
    /// `--service-cluster-ip-range` of kube-apiserver: at most one range per family; the first is used for Services without a family.
    public var serviceClusterIPRanges: [CIDR]
    /// `--service-node-port-range` of kube-apiserver.
    public var nodePorts: ClosedRange<UInt16>

    /// The ranges of ServiceCIDRs of the manifests: Services may specify cluster IPs from them, but none is chosen from them.
    var addedRanges: [CIDR] = []

    public init(serviceClusterIPRanges: [CIDR] = ManifestSettings.defaultRanges, nodePorts: ClosedRange<UInt16> = 30000...32767) {
        self.serviceClusterIPRanges = serviceClusterIPRanges
        self.nodePorts = nodePorts
    }

    /// `10.96.0.0/12`, the default of kubeadm.
    public static let defaultRanges = CIDR(IPAddress(v4: 0x0a60_0000), prefixLength: 12).map { [$0] } ?? []

    /// The families that Services can have, in order of preference.
    var families: [IPFamily] { serviceClusterIPRanges.map(\.family) }

    func range(of family: IPFamily) -> CIDR? { serviceClusterIPRanges.first { $0.family == family } }

    /// Returns the ranges of a family that a cluster IP may be in; empty if they are unknown.
    func ranges(of family: IPFamily) -> [CIDR] { (serviceClusterIPRanges + addedRanges).filter { $0.family == family } }
}
