internal import Kubernetes
internal import Model
internal import SwiftProtobuf

/// Decodes complete responses of the API server: lists and statuses.
public struct WireDecoder<Object: APIObject>: Sendable {
    public let contentType: ContentType

    public init(contentType: ContentType) {
        self.contentType = contentType
    }

    /// Decodes a list or a page of one. An item that fails to decode is added to `problems`; throws if the body is not a list.
    public func list(_ body: WireBytes) throws(WireError) -> ObjectList<Object> {
        switch contentType {
        case .json: return try jsonList(body)
        case .protobuf: return try protobufList(body)
        }
    }

    public func list(_ body: [UInt8]) throws(WireError) -> ObjectList<Object> { try list(WireBytes(body)) }

    /// Decodes a Status; nil if the body is anything else, such as text from an intermediate proxy.
    public static func status(_ body: WireBytes, contentType: ContentType) -> APIStatus? {
        // An unreadable body is not a Status, which leaves only the HTTP status code.
        switch contentType {
        case .json:
            let data = body.data
            guard let type = try? JSONText.decode(JSONTypeMeta.self, from: data), type.kind == "Status" else { return nil }
            return try? JSONText.decode(APIStatus.self, from: data)
        case .protobuf:
            return try? ProtobufEnvelope(body).status
        }
    }

    public static func status(_ body: [UInt8], contentType: ContentType) -> APIStatus? {
        status(WireBytes(body), contentType: contentType)
    }

    private func jsonList(_ body: WireBytes) throws(WireError) -> ObjectList<Object> {
        let list = try JSONText.decode(JSONList<Object>.self, from: body.data)
        return try assemble(
            list.items?.map(\.decoded) ?? [], resourceVersion: list.metadata?.resourceVersion, continueToken: list.metadata?.continue)
    }

    private func protobufList(_ body: WireBytes) throws(WireError) -> ObjectList<Object> {
        let content = try ProtobufEnvelope(body).content(apiVersion: Object.resource.apiVersion, kind: Object.kind + "List")
        var metadata = ProtoListMeta()
        var items: [Decoded<Object>] = []
        // The fields of ProtoObjectList.
        var fields = ProtobufFields(content, of: "\(Object.kind)List")
        while let field = try fields.next() {
            switch field.number {
            case 1: metadata = try ProtobufObject.message(field.bytes)
            case 2: items.append(Object.decode(protobuf: field.bytes))
            default: break
            }
        }
        return try assemble(items, resourceVersion: metadata.resourceVersion, continueToken: metadata.continue)
    }

    private func assemble(
        _ decoded: some Collection<Decoded<Object>>, resourceVersion: String?, continueToken: String?
    ) throws(WireError) -> ObjectList<Object> {
        guard let resourceVersion, !resourceVersion.isEmpty else {
            throw WireError(field: "metadata.resourceVersion", message: "is required in a list")
        }
        var list = ObjectList<Object>(items: [], resourceVersion: resourceVersion)
        list.continueToken = continueToken.flatMap { $0.isEmpty ? nil : $0 }
        list.items.reserveCapacity(decoded.count)
        for item in decoded {
            switch item {
            case .success(let object): list.items.append(object)
            case .failure(let problem): list.problems.append(problem)
            }
        }
        return list
    }
}

/// The encodings of the API.
public enum ContentType: String, Hashable, Sendable, CaseIterable {
    case json = "application/json"
    case protobuf = "application/vnd.kubernetes.protobuf"

    /// Parses a `Content-Type` header, ignoring its parameters: `application/vnd.kubernetes.protobuf;stream=watch`.
    ///
    /// Returns nil for other types, such as the `text/plain` of an intermediate proxy.
    public init?(header: String) {
        let type = header.prefix { $0 != ";" }.filter { !$0.isWhitespace }
        self.init(rawValue: type.lowercased())
    }
}

/// An object of a list or an event, or why it failed to decode.
typealias Decoded<Object: APIObject> = Result<Versioned<Object>, WireProblem>

extension APIObject {
    /// Throws if the object has no name, or no namespace where its kind requires one; everything else may be missing.
    func requireName() throws(WireError) {
        guard !namespacedName.name.isEmpty else { throw WireError(field: "metadata.name", message: "is required") }
        guard !Self.resource.namespaced || !namespacedName.namespace.isEmpty else {
            throw WireError(field: "metadata.namespace", message: "is required")
        }
    }

    /// Decodes an object in protobuf, without its envelope.
    static func decode(protobuf bytes: WireBytes) -> Decoded<Self> {
        do {
            let read = try Self.read(ProtobufObject(bytes))
            try read.object.requireName()
            return .success(read)
        } catch {
            return .failure(problem(error, in: bytes))
        }
    }

    /// Returns a problem that names its object if possible.
    static func problem(_ error: WireError, in bytes: WireBytes) -> WireProblem {
        // If the name cannot be decoded either, the problem has none.
        let identity = try? ProtobufObject.message(bytes, of: ProtoObjectIdentity.self).metadata
        return problem(error, name: identity?.name, namespace: identity?.namespace, resourceVersion: identity?.resourceVersion)
    }

    static func problem(_ error: WireError, name: String?, namespace: String?, resourceVersion: String?) -> WireProblem {
        var object: NamespacedName?
        if let name, !name.isEmpty { object = NamespacedName(namespace: namespace ?? "", name: name) }
        let version = resourceVersion.flatMap { $0.isEmpty ? nil : $0 }
        return WireProblem(kind: kind, object: object, resourceVersion: version, error: error)
    }
}
