/// A client that watches.
struct Watcher: Sendable {
    var resource: ServerResource
    var selector: ObjectSelector
    var encoding: WireEncoding
    var takesBookmarks: Bool
    var items: AsyncStream<WatchItem>.Continuation

    /// Sends an item; ends a watch that exceeds its buffer, after the buffered items are sent.
    func yield(_ item: WatchItem) {
        if case .dropped = items.yield(item) { items.finish() }
    }
}
