import NIOCore

/// A change of an object.
struct StoredEvent: Sendable {
    let version: Int
    let before: StoredObject?
    let after: StoredObject?

    var resource: ServerResource? { (after ?? before)?.resource }

    /// Returns the type for a selector: an object that stops matching is deleted, one that begins to match is added.
    func type(for selector: ObjectSelector) -> EventType? {
        let matched = before.map(selector.matches) ?? false
        let matches = after.map(selector.matches) ?? false
        return switch (matched, matches) {
        case (false, true): .added
        case (true, true): .modified
        case (true, false): .deleted
        case (false, false): nil
        }
    }

    /// Returns the event as in the stream of a watch. A deleted object is sent in its previous state, at the version of the deletion.
    func frame(_ type: EventType, _ encoding: WireEncoding) -> ByteBuffer {
        let object = type == .deleted ? before?.at(version: version) : after
        return object.map { ByteBuffer(bytes: encoding.event(type, $0)) } ?? ByteBuffer()
    }
}
