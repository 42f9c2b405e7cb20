/// What a test API server holds: objects in JSON, their versions, and every event since the beginning.
struct ServerStore: Sendable {
    enum EventType: String, Sendable {
        case added = "ADDED"
        case modified = "MODIFIED"
        case deleted = "DELETED"
    }

    struct Object: Sendable {
        var json: String
        var version: Int
    }

    struct Event: Sendable {
        var plural: String
        var type: EventType
        var json: String
        var version: Int

        var line: String { ServerKind(plural: plural).event(type, json) }
    }

    /// By plural, then by `namespace/name`.
    private(set) var objects: [String: [String: Object]] = [:]
    private(set) var history: [Event] = []
    private(set) var version = 100
    /// Watches from before this have to list again.
    private(set) var oldest = 0

    mutating func put(_ plural: String, _ object: TestObject) -> Event {
        version += 1
        let type: EventType = objects[plural]?[object.key] == nil ? .added : .modified
        let json = object.json(version: version)
        objects[plural, default: [:]][object.key] = Object(json: json, version: version)
        return record(Event(plural: plural, type: type, json: json, version: version))
    }

    mutating func delete(_ plural: String, _ object: TestObject) -> Event? {
        guard objects[plural]?.removeValue(forKey: object.key) != nil else { return nil }
        version += 1
        return record(Event(plural: plural, type: .deleted, json: object.json(version: version), version: version))
    }

    /// Forgets the past.
    mutating func compact() {
        version += 1
        oldest = version
        history = []
    }

    func sorted(_ plural: String) -> [Object] {
        (objects[plural] ?? [:]).sorted { $0.key < $1.key }.map(\.value)
    }

    func events(_ plural: String, after version: Int) -> [Event] {
        history.filter { $0.plural == plural && $0.version > version }
    }

    private mutating func record(_ event: Event) -> Event {
        history.append(event)
        return event
    }
}
