internal import SwiftProtobuf

/// An object in protobuf, without its envelope.
public struct ProtobufObject: Sendable {
    let bytes: WireBytes

    init(_ bytes: WireBytes) {
        self.bytes = bytes
    }

    func message<M: Message>(_ type: M.Type = M.self) throws(WireError) -> M {
        try ProtobufObject.message(bytes)
    }

    /// Decodes a message. Fields that kubernetes.proto does not define are skipped and, unlike the library's default, not kept.
    static func message<M: Message>(_ bytes: WireBytes, of type: M.Type = M.self) throws(WireError) -> M {
        do {
            return try bytes.message(options)
        } catch {
            throw WireError(error, reading: type)
        }
    }

    private static let options: BinaryDecodingOptions = {
        var options = BinaryDecodingOptions()
        options.discardUnknownFields = true
        options.messageDepthLimit = 16
        return options
    }()
}

extension WireError {
    fileprivate init<M: Message>(_ error: any Error, reading type: M.Type) {
        let name = M.protoMessageName.split(separator: ".").last.map(String.init) ?? M.protoMessageName
        self.init(message: "is not a valid protobuf \(name): \(error)")
    }
}

/// The envelope of every object and list in protobuf: the magic `k8s\0` and a `runtime.Unknown` that names the kind.
struct ProtobufEnvelope {
    let apiVersion: String
    let kind: String
    /// In the memory of the envelope.
    let content: WireBytes

    private static let magic: [UInt8] = [0x6b, 0x38, 0x73, 0x00]

    init(_ bytes: WireBytes) throws(WireError) {
        guard bytes.view.starts(with: ProtobufEnvelope.magic) else {
            throw WireError(message: "does not start with the four bytes k8s\\0 of Kubernetes' protobuf")
        }
        var type = ProtoTypeMeta()
        var content = WireBytes([])
        var encoding = ""
        // The fields of ProtoUnknown.
        var fields = ProtobufFields(bytes[ProtobufEnvelope.magic.count..<bytes.count], of: "Unknown")
        while let field = try fields.next() {
            switch field.number {
            case 1: type = try ProtobufObject.message(field.bytes)
            case 2: content = field.bytes
            case 3: encoding = try field.text("contentEncoding")
            default: break
            }
        }
        guard encoding.isEmpty else { throw WireError(field: "contentEncoding", message: "must be empty, not \(encoding)") }
        apiVersion = type.apiVersion
        kind = type.kind
        self.content = content
    }

    /// Returns the content; throws if it is not of the expected kind.
    func content(apiVersion expectedVersion: String, kind expectedKind: String) throws(WireError) -> WireBytes {
        guard kind == expectedKind, apiVersion == expectedVersion else {
            throw WireError(message: "is a \(kind) of \(apiVersion), not a \(expectedKind) of \(expectedVersion)")
        }
        return content
    }

    /// The content as a Status; nil for any other kind.
    var status: APIStatus? {
        get throws(WireError) {
            guard kind == "Status", apiVersion == "v1" else { return nil }
            return APIStatus(try ProtobufObject.message(content, of: ProtoStatus.self))
        }
    }
}

/// Decodes numbers and enumerations by the rules of the API, as in the JSON forms.
enum ProtobufField {
    /// Returns a port number, 0…65535; the caller validates whether 0 is allowed.
    static func port(_ number: Int32, _ field: String) throws(WireError) -> UInt16 {
        guard let port = UInt16(exactly: number) else { throw WireError(field: field, message: "must be a port, 1 to 65535") }
        return port
    }

    /// Returns one of a set of values; absent and empty are the default.
    static func choice<T: RawRepresentable & CaseIterable>(_ text: String, _ field: String, default fallback: T) throws(WireError) -> T
    where T.RawValue == String {
        text.isEmpty ? fallback : try word(text, field)
    }

    /// Returns one of a set of values.
    static func word<T: RawRepresentable & CaseIterable>(_ text: String, _ field: String) throws(WireError) -> T
    where T.RawValue == String {
        guard let value = T(rawValue: text) else {
            throw WireError(field: field, message: "must be one of " + T.allCases.map(\.rawValue).joined(separator: ", "))
        }
        return value
    }

    /// Decodes each element of a list; an error names the index.
    static func each<M, T>(_ messages: [M], _ field: String, _ read: (M) throws(WireError) -> T) throws(WireError) -> [T] {
        var values: [T] = []
        values.reserveCapacity(messages.count)
        for (index, message) in messages.enumerated() {
            do {
                values.append(try read(message))
            } catch {
                throw error.inside("\(field)[\(index)]")
            }
        }
        return values
    }
}

/// An event in protobuf: one frame of a watch, without its length prefix.
enum ProtobufEvent<Object: APIObject> {
    static func read(_ frame: WireBytes) throws(WireError) -> EventOutcome<Object> {
        var type: String?
        var object: WireBytes?
        // The fields of ProtoWatchEvent.
        var fields = ProtobufFields(frame, of: "WatchEvent")
        while let field = try fields.next() {
            switch field.number {
            case 1: type = try field.text("type")
            case 2: object = try raw(field.bytes)
            default: break
            }
        }
        guard let type else { throw WireError(field: "type", message: "is required") }
        guard let object else { throw WireError(field: "object", message: "is required") }
        return outcome(type: type, object: object)
    }

    /// Returns the bytes of a ProtoRawExtension; empty if it has none.
    private static func raw(_ extension: WireBytes) throws(WireError) -> WireBytes {
        var raw = WireBytes([])
        var fields = ProtobufFields(`extension`, of: "RawExtension")
        while let field = try fields.next() {
            if field.number == 1 { raw = field.bytes }
        }
        return raw
    }

    private static func outcome(type: String, object: WireBytes) -> EventOutcome<Object> {
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
