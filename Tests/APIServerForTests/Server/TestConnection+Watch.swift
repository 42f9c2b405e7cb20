import NIOCore
import NIOHTTP1

/// Handling of watches.
extension TestConnection {
    func watch(
        _ request: TestRequest, of place: ServerStore.Place, _ encoding: WireEncoding, cutAfter: Int?, _ outbound: Outbound
    ) async throws {
        let (stream, items) = AsyncStream.makeStream(of: WatchItem.self, bufferingPolicy: .bufferingOldest(server.settings.watchLimit))
        let selector = try ObjectSelector(
            place.resource, namespace: place.namespace, labels: request["labelSelector"], fields: request["fieldSelector"],
            minorVersion: server.withState { $0.minorVersion })
        let watcher = Watcher(
            resource: place.resource, selector: selector, encoding: encoding, takesBookmarks: request["allowWatchBookmarks"] == "true",
            items: items)
        let (id, first) = try server.open(watcher, request)
        defer { server.withState { $0.watchers[id] = nil } }
        // A disconnected client is detected even without anything to send.
        channel.channel.closeFuture.whenComplete { _ in items.finish() }
        let end = request["timeoutSeconds"].flatMap { Int($0) }.map { seconds in
            Task {
                try await Task.sleep(for: .seconds(seconds))
                items.yield(.end)
            }
        }
        defer { end?.cancel() }
        try await begin(200, encoding.contentType(isWatch: true), outbound)
        try await write(first, cutAfter: cutAfter, outbound)
        for await item in stream {
            switch item {
            case .bytes(let bytes): try await write(bytes, outbound)
            case .end: return try await outbound.write(.end(nil))
            case .cut: throw Cut()
            case .hang: try await Task.sleep(for: .seconds(3600))
            }
        }
        try await outbound.write(.end(nil))
    }
}

extension TestAPIServer {
    /// Registers a watcher; returns its initial data, with no gap between that and later events.
    fileprivate func open(_ watcher: Watcher, _ request: TestRequest) throws -> (id: Int, first: ByteBuffer) {
        let streams = request["sendInitialEvents"] == "true"
        let start = request["resourceVersion"].flatMap { Int($0) } ?? 0
        return try withState { state in
            switch state.streamingLists {
            case .invalid where streams: throw TestStatus(422, reason: "Invalid")
            case .errorEvent where streams: throw TestStatus(500, reason: "InternalError", asEvent: true)
            default: break
            }
            var first = ByteBuffer()
            // A watch without a version also begins with the current objects.
            if streams || start == 0 {
                for object in state.store.sorted(watcher.resource.plural) where watcher.selector.matches(object) {
                    first.writeBytes(watcher.encoding.event(.added, object))
                }
            } else {
                try state.store.check(version: start, asEvent: true)
                for event in state.store.events(watcher.resource.plural, after: start) {
                    if let type = event.type(for: watcher.selector) { first.writeImmutableBuffer(event.frame(type, watcher.encoding)) }
                }
            }
            if streams, state.streamingLists != .endless {
                first.writeBytes(watcher.encoding.bookmark(of: watcher.resource, version: state.store.version, isInitialEventsEnd: true))
            }
            state.nextWatcher += 1
            state.watchers[state.nextWatcher] = watcher
            return (state.nextWatcher, first)
        }
    }
}

extension ServerStore {
    /// Throws if a version has expired or does not exist yet.
    func check(version: Int, asEvent: Bool) throws(TestStatus) {
        if version < oldest {
            throw TestStatus(410, reason: "Expired", message: "too old resource version: \(version) (\(oldest))", asEvent: asEvent)
        }
        if version > self.version {
            throw TestStatus(
                504, reason: "Timeout", message: "Too large resource version: \(version), current: \(self.version)", retryAfter: 1)
        }
    }
}
