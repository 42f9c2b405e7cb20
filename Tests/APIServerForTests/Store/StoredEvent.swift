import NIOCore

/// A change of an object.
struct StoredEvent: Sendable {
    let version: Int
    let before: StoredObject?
    let after: StoredObject?

    var resource: ServerResource? { (after ?? before)?.resource }

    /// What it is to those who look at some objects only: one that stops matching is gone, one that begins to match is new.
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

    /// As it stands in the stream of a watch. What is deleted is told as it was before, at the version of the deletion.
    func frame(_ type: EventType, _ encoding: WireEncoding) -> ByteBuffer {
        let object = type == .deleted ? before?.at(version: version) : after
        return object.map { ByteBuffer(bytes: encoding.event(type, $0)) } ?? ByteBuffer()
    }
}
