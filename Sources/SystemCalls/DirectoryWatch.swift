internal import Glibc

/// Watches the files of a directory, the targets of its symbolic links, and the directory itself (`inotify(7)`).
public struct DirectoryWatch: ~Copyable {
    private let descriptor: Int32
    private let directory: String
    private let parent: String
    private let directoryName: String
    private let isOfInterest: @Sendable (String) -> Bool
    private var parentWatch: Int32 = -1
    private var directoryWatch: Int32 = -1
    private var watchedDirectory: FileStamp.Identity?
    /// The symbolic links whose targets are watched, by watch descriptor.
    private var targets: [Int32: Set<String>] = [:]
    private var watchOfTarget: [String: Int32] = [:]

    /// How changes are detected.
    public enum WatchQuality: Hashable, Sendable {
        /// The kernel reports them.
        case watching
        /// The directory does not exist; it may appear at any time.
        case absent
        /// The kernel provides no watch: the caller must poll.
        case unavailable(FileError)
    }

    public private(set) var quality = WatchQuality.absent

    /// - Parameter isOfInterest: the names of the files whose events are reported one by one; changes of other entries are reported as
    ///   `.everything`.
    public init(_ path: String, isOfInterest: @escaping @Sendable (String) -> Bool) {
        self.isOfInterest = isOfInterest
        var trimmed = Substring(path)
        while trimmed.utf8.count > 1, trimmed.last == "/" { trimmed.removeLast() }
        directory = String(trimmed)
        let slash = trimmed.lastIndex(of: "/")
        parent = slash.map { $0 == trimmed.startIndex ? "/" : String(trimmed[..<$0]) } ?? "."
        directoryName = slash.map { String(trimmed[trimmed.index(after: $0)...]) } ?? String(trimmed)
        descriptor = inotify_init1(Int32(IN_CLOEXEC) | Int32(IN_NONBLOCK))
        if descriptor < 0 { quality = .unavailable(FileError("inotify_init1", path, errno)) }
    }

    deinit {
        if descriptor >= 0 { close(descriptor) }
    }

    /// Watches the directory that exists now; returns whether it is a different one than before, so that it must be read completely.
    public mutating func renew() -> Bool {
        guard descriptor >= 0 else { return false }
        if parentWatch < 0 { parentWatch = add(parent, IN_CREATE | IN_MOVED_TO | IN_MOVED_FROM | IN_DELETE | IN_ONLYDIR) }
        // Missing or inaccessible: listing the directory reports why.
        let identity = (try? FileStamp(path: directory))?.identity
        guard identity != watchedDirectory || directoryWatch < 0 else { return false }
        if directoryWatch >= 0 { inotify_rm_watch(descriptor, directoryWatch) }
        directoryWatch = -1
        watchedDirectory = nil
        quality = .absent
        guard identity != nil else { return false }
        directoryWatch = add(directory, DirectoryWatch.fileEvents | IN_ONLYDIR)
        guard directoryWatch >= 0 else {
            quality = .unavailable(FileError("inotify_add_watch", directory, errno))
            return false
        }
        watchedDirectory = identity
        quality = .watching
        return true
    }

    /// Watches the target of a symbolic link in the directory: a write to it is no event of the directory.
    public mutating func follow(linkNamed name: String, isLink: Bool) {
        if let old = watchOfTarget.removeValue(forKey: name) {
            targets[old]?.remove(name)
            if targets[old]?.isEmpty == true { targets[old] = nil }
            if targets[old] == nil, old != directoryWatch { inotify_rm_watch(descriptor, old) }
        }
        guard isLink else { return }
        // If there is no watch (each user has a limit), polling finds the change.
        let watch = add("\(directory)/\(name)", DirectoryWatch.fileEvents)
        guard watch >= 0 else { return }
        targets[watch, default: []].insert(name)
        watchOfTarget[name] = watch
    }

    private func add(_ path: String, _ events: Int32) -> Int32 {
        unsafe inotify_add_watch(descriptor, path, UInt32(bitPattern: events))
    }

    /// Waits for events, for the signal or for the timeout; nil once the signal is raised.
    public mutating func wait(milliseconds: Int32, stop: StopSignal) -> [DirectoryEvent]? {
        var descriptors = [
            pollfd(fd: descriptor, events: Int16(POLLIN), revents: 0), pollfd(fd: stop.descriptor, events: Int16(POLLIN), revents: 0),
        ]
        _ = unsafe poll(&descriptors, 2, milliseconds)
        if descriptors[1].revents != 0 { return nil }
        return descriptors[0].revents != 0 ? drain() : []
    }

    private mutating func drain() -> [DirectoryEvent] {
        var events: [DirectoryEvent] = []
        var buffer = [UInt8](repeating: 0, count: 64 << 10)
        while true {
            let count = unsafe buffer.withUnsafeMutableBytes { unsafe read(descriptor, $0.baseAddress, $0.count) }
            if count < 0, errno == EINTR { continue }
            guard count > 0 else { return events }
            for record in InotifyRecord.records(in: buffer[..<count]) { take(record, &events) }
        }
    }

    private mutating func take(_ record: InotifyRecord, _ events: inout [DirectoryEvent]) {
        if record.has(IN_Q_OVERFLOW) {
            events.append(.everything)
        } else if record.watch == directoryWatch {
            if record.has(IN_IGNORED) || record.has(IN_DELETE_SELF) || record.has(IN_MOVE_SELF) || record.has(IN_UNMOUNT) {
                directoryWatch = record.has(IN_IGNORED) ? -1 : directoryWatch
                watchedDirectory = nil
                events.append(.everything)
            } else if isOfInterest(record.name) {
                events.append(record.event(of: record.name))
            } else if record.has(IN_MOVED_TO) || record.has(IN_CREATE) || record.has(IN_MOVED_FROM) || record.has(IN_DELETE) {
                // `..data` of a mounted ConfigMap, or another directory that the links point into.
                events.append(.everything)
            }
        } else if record.watch == parentWatch {
            if record.has(IN_IGNORED) { parentWatch = -1 }
            if record.name == directoryName || record.has(IN_IGNORED) { events.append(.everything) }
        } else if let names = targets[record.watch] {
            for name in names { events.append(record.event(of: name)) }
            if record.has(IN_IGNORED) {
                targets[record.watch] = nil
                for name in names { watchOfTarget[name] = nil }
            }
        }
    }

    private static let fileEvents: Int32 = {
        let content = IN_CLOSE_WRITE | IN_MODIFY | IN_ATTRIB
        let entries = IN_CREATE | IN_DELETE | IN_MOVED_FROM | IN_MOVED_TO
        return content | entries | IN_DELETE_SELF | IN_MOVE_SELF
    }()
}

/// A possible change in a directory since the last wait.
public enum DirectoryEvent: Hashable, Sendable {
    /// A file of this name was written and closed, moved or deleted.
    case changed(String)
    /// A file of this name was created, or its mode or owner changed: it can be read unless it is being written.
    case touched(String)
    /// A file of this name is being written and has not been closed.
    case writing(String)
    /// Any change: all files must be read.
    case everything
}

/// One `struct inotify_event` (`linux/inotify.h`).
struct InotifyRecord: Hashable {
    var watch: Int32
    var mask: Int32
    /// The name inside a watched directory; empty for the watched file itself.
    var name: String

    func has(_ flag: Int32) -> Bool { mask & flag != 0 }

    /// The event of a file that the record describes.
    func event(of name: String) -> DirectoryEvent {
        if has(IN_MODIFY) { return .writing(name) }
        return has(IN_ATTRIB) || has(IN_CREATE) ? .touched(name) : .changed(name)
    }

    /// The records that one `read(2)` returned.
    static func records(in buffer: ArraySlice<UInt8>) -> [InotifyRecord] {
        var records: [InotifyRecord] = []
        var rest = buffer
        // wd, mask, cookie and the length of the name, four bytes each; then the name, padded with zeros.
        while rest.count >= 16 {
            let length = Int(word(rest, at: 12))
            guard rest.count >= 16 + length else { break }
            let name = rest.dropFirst(16).prefix(length).prefix { $0 != 0 }
            records.append(
                InotifyRecord(
                    watch: Int32(bitPattern: word(rest, at: 0)), mask: Int32(bitPattern: word(rest, at: 4)),
                    name: String(decoding: name, as: UTF8.self)))
            rest = rest.dropFirst(16 + length)
        }
        return records
    }

    /// A 32-bit number in host order.
    private static func word(_ bytes: ArraySlice<UInt8>, at offset: Int) -> UInt32 {
        let four = bytes.dropFirst(offset).prefix(4)
        let littleEndian = four.reversed().reduce(UInt32(0)) { $0 << 8 | UInt32($1) }
        return UInt32(littleEndian: littleEndian)
    }
}
