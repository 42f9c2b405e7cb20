internal import Dispatch

/// A file that was read once, and is watched for changes afterwards (`inotify(7)`).
///
/// Detects writes, replaced files, and links with a new target, such as those of a mounted ConfigMap. Only the content counts: a file that
/// was removed, or has its old content again, has not changed.
public struct WatchedFile: Sendable {
    public let path: String
    public let bytes: [UInt8]

    /// A failure to read the file.
    public struct Unreadable: Error, Hashable, Sendable, CustomStringConvertible {
        public var path: String
        public var message: String

        public var description: String { "\(path): \(message)" }
    }

    /// In bytes; a configuration file has some kilobytes.
    private static let maximumSize: Int64 = 4 << 20

    /// Reads the file.
    public init(_ path: String) throws(Unreadable) {
        self.path = path
        do {
            bytes = try SmallFile.read(path, limit: WatchedFile.maximumSize).bytes
        } catch {
            throw Unreadable(path: path, message: "failed to read: \(error)")
        }
    }

    /// Returns true once the content of the file differs from the content that was read, and false when the task is cancelled.
    public func changed() async throws -> Bool {
        let stop = try StopSignal()
        return await withTaskCancellationHandler {
            await withCheckedContinuation { finished in
                // Waiting blocks a thread, which must not be one of the cooperative pool.
                DispatchQueue(label: "file \(path)").async { finished.resume(returning: follow(until: stop)) }
            }
        } onCancel: {
            stop.raise()
        }
    }

    /// In milliseconds: the poll interval with and without a working watch.
    private static let pollInterval: Int32 = 30_000
    private static let pollIntervalWithoutWatch: Int32 = 1_000
    /// In milliseconds: the interval between two reads of a file that may be being written.
    private static let settleInterval: Int32 = 250

    private func follow(until stop: StopSignal) -> Bool {
        let slash = path.lastIndex(of: "/")
        let name = slash.map { String(path[path.index(after: $0)...]) } ?? path
        var watch = DirectoryWatch(slash.map { $0 == path.startIndex ? "/" : String(path[..<$0]) } ?? ".") { $0 == name }
        var stability = Stability(original: bytes)
        while true {
            _ = watch.renew()
            // The file itself, or the target of its link: the directory's events do not cover their content.
            watch.follow(linkNamed: name, isLink: true)
            // Nil if it is missing or inaccessible for now: its replacement is detected.
            let now = try? SmallFile.read(path, limit: WatchedFile.maximumSize).bytes
            switch stability.observe(now) {
            case .same:
                let isWatching = watch.quality == .watching
                guard wait(isWatching ? WatchedFile.pollInterval : WatchedFile.pollIntervalWithoutWatch, &watch, stop) else { return false }
            case .unsettled:
                // The time must pass, regardless of events.
                guard pause(stop) else { return false }
            case .changed: return true
            }
        }
    }

    /// Waits for an event of the file or the timeout; false once the stop signal is raised.
    private func wait(_ milliseconds: Int32, _ watch: inout DirectoryWatch, _ stop: StopSignal) -> Bool {
        let end = ContinuousClock.now + .milliseconds(Int64(milliseconds))
        while true {
            let left = (end - .now) / .milliseconds(1)
            guard left > 0 else { return true }
            guard let events = watch.wait(milliseconds: Int32(left) + 1, stop: stop) else { return false }
            // The end of a removed watch is an event too, without a meaning.
            if !events.isEmpty { return true }
        }
    }

    private func pause(_ stop: StopSignal) -> Bool { !stop.isRaised(within: WatchedFile.settleInterval) }

    /// Distinguishes a changed file from one that is being written.
    struct Stability {
        let original: [UInt8]
        private var last: [UInt8]?
        private var observations = 0

        enum Finding: Hashable { case same, unsettled, changed }

        init(original: [UInt8]) { self.original = original }

        /// The same content twice is a change; an empty file is probably about to be written, and gets more time.
        mutating func observe(_ bytes: [UInt8]?) -> Finding {
            guard let bytes, bytes != original else {
                (last, observations) = (nil, 0)
                return .same
            }
            observations = bytes == last ? observations + 1 : 1
            last = bytes
            return observations > (bytes.isEmpty ? 8 : 1) ? .changed : .unsettled
        }
    }
}
