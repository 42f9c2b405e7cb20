import NIOCore

/// An action on all watchers, whatever their encoding.
enum Interruption: Sendable {
    case end
    case cut
    case hang
    /// Bytes to send as they are.
    case text(String)
    /// The first half of an event.
    case half
    /// A bookmark at any version.
    case bookmark(Int)
    /// A DELETED event for an object, whether or not it ever existed.
    case deleted(StoredObject)

    func item(for watcher: Watcher, version: Int) -> WatchItem {
        switch self {
        case .end: return .end
        case .cut: return .cut
        case .hang: return .hang
        case .text(let text): return .bytes(.init(string: text))
        case .half:
            let bookmark = watcher.encoding.bookmark(of: watcher.resource, version: version)
            return .bytes(.init(bytes: bookmark.prefix(bookmark.count / 2)))
        case .bookmark(let version): return .bytes(.init(bytes: watcher.encoding.bookmark(of: watcher.resource, version: version)))
        case .deleted(let object): return .bytes(.init(bytes: watcher.encoding.event(.deleted, object)))
        }
    }
}
