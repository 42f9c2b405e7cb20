internal import Dispatch

/// A file that was read once, and what happens to it afterwards (`inotify(7)`).
///
/// Seen are writes, files moved into its place, and links that lead elsewhere, as those of a mounted ConfigMap do. What counts is the
/// content: a file that is gone, or the same again, has not changed.
public struct WatchedFile: Sendable {
    public let path: String
    public let bytes: [UInt8]

    /// A file that cannot be read.
    public struct Unreadable: Error, Hashable, Sendable, CustomStringConvertible {
        public var path: String
        public var message: String

        public var description: String { "\(path): \(message)" }
    }

    /// A configuration file is some kilobytes.
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

    /// Returns true once the file holds something else than when it was read, and false when the task is cancelled.
    public func changed() async throws -> Bool {
        let stop = try StopSignal()
        return await withTaskCancellationHandler {
            await withCheckedContinuation { finished in
                // Waiting blocks a thread, which must be none of the few that all tasks share.
                DispatchQueue(label: "file \(path)").async { finished.resume(returning: follow(until: stop)) }
            }
        } onCancel: {
            stop.raise()
        }
    }

    /// How often the file is looked at although nothing was told, and where nothing can be told.
    private static let sweep: Int32 = 30_000
    private static let blindSweep: Int32 = 1_000
    /// Between two looks at a file that someone may still be writing.
    private static let settling: Int32 = 250

    private func follow(until stop: StopSignal) -> Bool {
        let slash = path.lastIndex(of: "/")
        let name = slash.map { String(path[path.index(after: $0)...]) } ?? path
        var watch = DirectoryWatch(slash.map { $0 == path.startIndex ? "/" : String(path[..<$0]) } ?? ".") { $0 == name }
        var stability = Stability(original: bytes)
        while true {
            _ = watch.renew()
            // The file itself, or what its link leads to: the directory tells of neither's content.
            watch.follow(linkNamed: name, isLink: true)
            // Gone or out of reach for now: what comes in its place is seen.
            let now = try? SmallFile.read(path, limit: WatchedFile.maximumSize).bytes
            switch stability.look(now) {
            case .same:
                let isWatching = watch.sight == .watching
                guard wait(isWatching ? WatchedFile.sweep : WatchedFile.blindSweep, &watch, stop) else { return false }
            case .unsettled:
                // Time has to pass, whatever is told meanwhile.
                guard pause(stop) else { return false }
            case .changed: return true
            }
        }
    }

    /// Waits until something happened to the file or the time is over; false once it is to stop.
    private func wait(_ milliseconds: Int32, _ watch: inout DirectoryWatch, _ stop: StopSignal) -> Bool {
        let end = ContinuousClock.now + .milliseconds(Int64(milliseconds))
        while true {
            let left = (end - .now) / .milliseconds(1)
            guard left > 0 else { return true }
            guard let events = watch.wait(milliseconds: Int32(left) + 1, stop: stop) else { return false }
            // The end of a watch that was given up is told too, and means nothing.
            if !events.isEmpty { return true }
        }
    }

    private func pause(_ stop: StopSignal) -> Bool { !stop.isRaised(within: WatchedFile.settling) }

    /// Tells a file that was changed from one that is being written.
    struct Stability {
        let original: [UInt8]
        private var last: [UInt8]?
        private var looks = 0

        enum Finding: Hashable { case same, unsettled, changed }

        init(original: [UInt8]) { self.original = original }

        /// Twice the same is a change; an empty file is most likely about to be filled, and gets more time.
        mutating func look(_ bytes: [UInt8]?) -> Finding {
            guard let bytes, bytes != original else {
                (last, looks) = (nil, 0)
                return .same
            }
            looks = bytes == last ? looks + 1 : 1
            last = bytes
            return looks > (bytes.isEmpty ? 8 : 1) ? .changed : .unsettled
        }
    }
}
