/// Someone who watches.
struct Watcher: Sendable {
    var resource: ServerResource
    var selector: ObjectSelector
    var encoding: WireEncoding
    var takesBookmarks: Bool
    var items: AsyncStream<WatchItem>.Continuation

    /// Ends a watch that is further behind than its buffer reaches, once what is in the buffer has gone out.
    func yield(_ item: WatchItem) {
        if case .dropped = items.yield(item) { items.finish() }
    }
}
