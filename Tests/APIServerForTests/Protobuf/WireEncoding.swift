/// The encoding of a response.
enum WireEncoding: String, Hashable, Sendable, CaseIterable {
    case json = "application/json"
    case protobuf = "application/vnd.kubernetes.protobuf"

    /// The first supported encoding in an `Accept` header; nil if there is none.
    init?(accept header: String?) {
        for range in (header ?? "*/*").split(separator: ",") {
            switch range.prefix(while: { $0 != ";" }).filter({ $0 != " " }) {
            case "application/vnd.kubernetes.protobuf": self = .protobuf
            case "application/json", "application/*", "*/*": self = .json
            default: continue
            }
            return
        }
        return nil
    }

    func contentType(isWatch: Bool = false) -> String { self == .protobuf && isWatch ? "\(rawValue);stream=watch" : rawValue }

    /// Encodes a single object, with its kind.
    func object(_ object: StoredObject) -> [UInt8] {
        switch self {
        case .json: object.typedJSON
        case .protobuf: WireEncoding.envelope(object.resource.apiVersion, object.resource.kind, object.protobuf)
        }
    }

    /// Encodes the complete response to a list request; its items have no kind.
    func list(_ items: some Sequence<StoredObject>, of resource: ServerResource, version: Int, continueToken: String? = nil) -> [UInt8] {
        var metadata: JSON = ["resourceVersion": .string("\(version)")]
        if let continueToken { metadata["continue"] = .string(continueToken) }
        switch self {
        case .json:
            var bytes = Array(
                "{\"kind\":\"\(resource.kind)List\",\"apiVersion\":\"\(resource.apiVersion)\",\"metadata\":".utf8)
            bytes += metadata.bytes + Array(",\"items\":[".utf8)
            for (index, item) in items.enumerated() {
                if index > 0 { bytes.append(UInt8(ascii: ",")) }
                bytes += item.json
            }
            return bytes + Array("]}".utf8)
        case .protobuf:
            var bytes = ProtobufWriter.field(1, WireEncoding.encode("ListMeta", metadata))
            for item in items { bytes += ProtobufWriter.field(2, item.protobuf) }
            return WireEncoding.envelope(resource.apiVersion, "\(resource.kind)List", bytes)
        }
    }

    /// Encodes an event of a watch, as in the stream.
    func event(_ type: EventType, _ object: StoredObject) -> [UInt8] { frame(type.rawValue, self.object(object)) }

    func bookmark(of resource: ServerResource, version: Int, isInitialEventsEnd: Bool = false) -> [UInt8] {
        var metadata: JSON = ["resourceVersion": .string("\(version)")]
        if isInitialEventsEnd { metadata["annotations"] = ["k8s.io/initial-events-end": "true"] }
        switch self {
        case .json:
            let object: JSON = ["kind": .string(resource.kind), "apiVersion": .string(resource.apiVersion), "metadata": metadata]
            return frame("BOOKMARK", object.bytes)
        case .protobuf:
            let message = WireEncoding.encode(resource.kind, ["metadata": metadata])
            return frame("BOOKMARK", WireEncoding.envelope(resource.apiVersion, resource.kind, message))
        }
    }

    func status(_ status: TestStatus) -> [UInt8] {
        switch self {
        case .json: status.json.bytes
        case .protobuf: WireEncoding.envelope("v1", "Status", WireEncoding.encode("Status", status.json))
        }
    }

    func errorEvent(_ status: TestStatus) -> [UInt8] { frame("ERROR", self.status(status)) }

    /// Encodes an event with an object: a line in JSON, a length and a message in protobuf.
    private func frame(_ type: String, _ object: [UInt8]) -> [UInt8] {
        switch self {
        case .json: return Array("{\"type\":\"\(type)\",\"object\":".utf8) + object + Array("}\n".utf8)
        case .protobuf:
            let event = ProtobufWriter.field(1, Array(type.utf8)) + ProtobufWriter.field(2, ProtobufWriter.field(1, object))
            return (0..<4).reversed().map { UInt8(truncatingIfNeeded: event.count >> ($0 * 8)) } + event
        }
    }

    /// Adds the envelope of objects and lists: the magic `k8s\0` and a `runtime.Unknown`, whose last two fields are empty.
    private static func envelope(_ apiVersion: String, _ kind: String, _ message: [UInt8]) -> [UInt8] {
        let type = encode("TypeMeta", ["apiVersion": .string(apiVersion), "kind": .string(kind)])
        return Array("k8s\0".utf8) + ProtobufWriter.field(1, type) + ProtobufWriter.field(2, message) + ProtobufWriter.field(3, [])
            + ProtobufWriter.field(4, [])
    }

    /// Encodes a message whose JSON this server creates itself.
    private static func encode(_ message: String, _ json: JSON) -> [UInt8] {
        do {
            return try ProtobufWriter.message(message, json)
        } catch {
            preconditionFailure("the server's own \(message) does not fit the table: \(error)")
        }
    }
}
