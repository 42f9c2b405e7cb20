/// The contents of a test API server: objects, their versions, and the latest events.
struct ServerStore: Sendable {
    /// By plural, then by `namespace/name`.
    private(set) var objects: [String: [String: StoredObject]] = [:]
    private(set) var history: [StoredEvent] = []
    private(set) var version = 100
    /// Watches from an earlier version have to list again.
    private(set) var oldest = 0
    private let historyLimit: Int

    init(historyLimit: Int = 100_000) {
        self.historyLimit = historyLimit
    }

    /// Stores a value under its name, new or existing.
    mutating func put(_ resource: ServerResource, _ value: JSON) throws(ProtobufWriter.Mismatch) -> StoredEvent {
        let object = try StoredObject(resource, value, version: version + 1)
        version += 1
        let before = objects[resource.plural, default: [:]].updateValue(object, forKey: object.key)
        return record(StoredEvent(version: version, before: before, after: object))
    }

    /// Deletes an object; returns nil if there is none. Unless `notifiesWatchers`, watchers never see the deletion.
    mutating func delete(_ plural: String, key: String, notifiesWatchers: Bool = true) -> StoredEvent? {
        guard let before = objects[plural]?.removeValue(forKey: key) else { return nil }
        version += 1
        guard notifiesWatchers else { return nil }
        return record(StoredEvent(version: version, before: before, after: nil))
    }

    /// Discards the history.
    mutating func compact() {
        version += 1
        oldest = version
        history = []
    }

    func sorted(_ plural: String) -> [StoredObject] {
        (objects[plural] ?? [:]).sorted { $0.key < $1.key }.map(\.value)
    }

    /// Returns all objects in a namespace.
    func contents(of namespace: String) -> [StoredObject] {
        ServerResource.all.filter(\.isNamespaced).flatMap { sorted($0.plural) }.filter { $0.namespace == namespace }
    }

    func events(_ plural: String, after version: Int) -> [StoredEvent] {
        var low = 0
        var high = history.count
        while low < high {
            let middle = (low + high) / 2
            if history[middle].version > version { high = middle } else { low = middle + 1 }
        }
        return history[low...].filter { $0.resource?.plural == plural }
    }

    private mutating func record(_ event: StoredEvent) -> StoredEvent {
        history.append(event)
        // Removes several at a time, as the remaining events have to move up.
        if history.count > historyLimit + historyLimit / 4 {
            let surplus = history.count - historyLimit
            oldest = history[surplus - 1].version
            history.removeFirst(surplus)
        }
        return event
    }
}
