internal import FoundationEssentials
internal import SwiftProtobuf

/// An event in protobuf: one frame of a watch, without its length.
enum ProtobufEvent<Object: APIObject> {
    static func read(_ frame: ArraySlice<UInt8>) throws(WireError) -> EventOutcome<Object> {
        let event: ProtoWatchEvent = try ProtobufObject.message(Data(frame))
        guard event.hasType else { throw WireError(field: "type", message: "is required") }
        guard event.hasObject else { throw WireError(field: "object", message: "is required") }
        return outcome(type: event.type, object: event.object.raw)
    }

    private static func outcome(type: String, object: Data) -> EventOutcome<Object> {
        let kind = EventType(rawValue: type)
        let envelope: ProtobufEnvelope
        do {
            envelope = try ProtobufEnvelope(object)
        } catch {
            if kind == .error { return EventOutcome(unreadableStatus: error) }
            return .problem(WireProblem(kind: Object.kind, error: error.inside("object")))
        }
        switch kind {
        case .error:
            do {
                return EventOutcome(status: try envelope.status, kind: envelope.kind)
            } catch {
                return EventOutcome(unreadableStatus: error)
            }
        case .changed(let change):
            return changed(change, envelope)
        case .bookmark:
            do {
                let metadata = try ProtobufObject.message(envelope.content, of: ProtoPartialObject.self).metadata
                return try EventOutcome(bookmark: metadata.resourceVersion, annotations: metadata.annotations)
            } catch {
                return .problem(Object.problem(error, in: envelope.content))
            }
        case nil:
            return .problem(Object.problem(EventType.unknown(type), in: envelope.content))
        }
    }

    private static func changed(_ change: EventType.Change, _ envelope: ProtobufEnvelope) -> EventOutcome<Object> {
        do {
            let content = try envelope.content(apiVersion: Object.resource.apiVersion, kind: Object.kind)
            return EventOutcome(change, Object.decode(protobuf: content))
        } catch {
            return .problem(Object.problem(error, in: envelope.content))
        }
    }
}
