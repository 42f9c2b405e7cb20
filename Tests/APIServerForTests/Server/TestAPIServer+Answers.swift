import NIOCore
import NIOHTTP1

/// Responses to all requests except watches.
extension TestAPIServer {
    func answer(
        _ request: TestRequest, _ verb: ServerCall.Verb, _ place: ServerStore.Place, _ encoding: WireEncoding
    ) throws -> (code: Int, body: [UInt8]) {
        // A collection can only be listed, and an object is created at a path without its name.
        let isObject = place.name != nil && (place.namespace != nil) == place.resource.isNamespaced
        switch verb {
        case .list, .watch: return (200, try list(request, place, encoding))
        case .get where isObject: return (200, encoding.object(try withState { try $0.store.get(place) }))
        case .create where place.name == nil && (place.namespace != nil) == place.resource.isNamespaced:
            let body = try json(request, "application/json")
            return (201, encoding.object(try write(place) { store in try store.create(place, body) }))
        case .replace where isObject:
            let body = try json(request, "application/json")
            return (200, encoding.object(try write(place) { store in try store.replace(place, body) }))
        case .patch where isObject:
            // For an Event, whose series is not a list, a strategic merge patch is equivalent.
            let body = try json(request, "application/merge-patch+json", "application/strategic-merge-patch+json")
            return (200, encoding.object(try write(place) { store in try store.patch(place, body) }))
        case .delete where isObject:
            let removed = try withState { state in
                let removed = try state.store.deleted(with: place)
                for object in removed { state.delete(object.resource.plural, key: object.key) }
                return removed
            }
            return (200, removed.last.map { encoding.object($0) } ?? [])
        default:
            throw TestStatus(
                405, reason: "MethodNotAllowed", message: "the server does not allow this method on the requested resource")
        }
    }

    /// Changes the store and notifies the watchers; returns the current object if nothing changes.
    private func write(
        _ place: ServerStore.Place, _ change: @Sendable (inout ServerStore) throws -> StoredEvent?
    ) throws -> StoredObject {
        try withState { state in
            guard let event = try change(&state.store), let object = event.after else { return try state.store.get(place) }
            state.send(event)
            return object
        }
    }

    private func json(_ request: TestRequest, _ contentTypes: String...) throws(TestStatus) -> JSON {
        guard let given = request.headers.first(name: "content-type"), contentTypes.contains(where: given.hasPrefix) else {
            throw TestStatus(415, reason: "UnsupportedMediaType", message: "the body must be \(contentTypes.joined(separator: " or "))")
        }
        do throws(JSON.Malformed) {
            return try JSON(Array(request.body.readableBytesView))
        } catch {
            throw .badRequest("\(error)")
        }
    }

    /// Returns a list or a page of one. As in a real server, the pages after the first are at the version of the first.
    private func list(_ request: TestRequest, _ place: ServerStore.Place, _ encoding: WireEncoding) throws -> [UInt8] {
        let selector = try ObjectSelector(
            place.resource, namespace: place.namespace, labels: request["labelSelector"], fields: request["fieldSelector"],
            minorVersion: withState { $0.minorVersion })
        let store = withState { $0.store }
        var objects = store.sorted(place.resource.plural).filter(selector.matches)[...]
        var version = store.version
        if let start = request["resourceVersion"].flatMap({ Int($0) }) { try store.check(version: start, asEvent: false) }
        if let token = request["continue"] {
            let parts = token.split(separator: ":", maxSplits: 1)
            guard parts.count == 2, let first = Int(parts[0]) else { throw TestStatus.badRequest("continue key is not valid") }
            try store.check(version: first, asEvent: false)
            version = first
            objects = objects.drop { $0.key <= parts[1] }
        }
        // As in the watch cache, which has no pages.
        let limit = request["resourceVersion"] == "0" ? nil : request["limit"].flatMap { Int($0) }
        let page = objects.prefix(limit.flatMap { $0 > 0 ? $0 : nil } ?? .max)
        let token = page.count < objects.count ? page.last.map { "\(version):\($0.key)" } : nil
        return encoding.list(page, of: place.resource, version: version, continueToken: token)
    }
}
