internal import FoundationEssentials
internal import Kubernetes

/// The result of decoding an object from JSON; an invalid object does not affect the others.
struct JSONObject<Object: APIObject>: Decodable {
    let decoded: Decoded<Object>

    init(from decoder: any Decoder) {
        do {
            let type = try JSONTypeMeta(from: decoder)
            // Items of a list have no kind; objects of events do.
            guard type.kind == nil || type.kind == Object.kind && type.apiVersion == Object.resource.apiVersion else {
                throw WireError(
                    message: "is a \(type.kind ?? "") of \(type.apiVersion ?? ""), not a \(Object.kind) of \(Object.resource.apiVersion)")
            }
            var object = try Object(from: decoder)
            object.narrow()
            try object.requireName()
            let identity = try JSONIdentity(from: decoder)
            decoded = .success(Versioned(object: object, resourceVersion: identity.metadata?.resourceVersion ?? ""))
        } catch {
            decoded = .failure(JSONObject.problem(WireError(error, below: decoder.codingPath), in: decoder))
        }
    }

    /// Returns a problem that names its object if possible.
    static func problem(_ error: WireError, in decoder: any Decoder) -> WireProblem {
        // If the name cannot be decoded either, the problem has none.
        let identity = (try? JSONIdentity(from: decoder))?.metadata
        return Object.problem(error, name: identity?.name, namespace: identity?.namespace, resourceVersion: identity?.resourceVersion)
    }
}

/// The metadata that identifies an object.
struct JSONIdentity: Decodable {
    struct Metadata: Decodable {
        var name: String?
        var namespace: String?
        var resourceVersion: String?
    }

    var metadata: Metadata?
}

/// Decodes JSON and converts errors to `WireError`.
enum JSONText {
    static func decode<T: Decodable>(_ type: T.Type, from bytes: Data) throws(WireError) -> T {
        do {
            return try JSONDecoder().decode(type, from: bytes)
        } catch {
            throw WireError(error)
        }
    }
}

/// `kind` and `apiVersion`.
struct JSONTypeMeta: Decodable {
    var kind: String?
    var apiVersion: String?
}

/// A list in JSON.
struct JSONList<Object: APIObject>: Decodable {
    struct Metadata: Decodable {
        var resourceVersion: String?
        var `continue`: String?
    }

    var kind: String?
    var apiVersion: String?
    var metadata: Metadata?
    var items: [JSONObject<Object>]?

    private enum CodingKeys: String, CodingKey { case kind, apiVersion, metadata, items }

    init(from decoder: any Decoder) throws {
        let fields = try decoder.container(keyedBy: CodingKeys.self)
        kind = try fields.decodeIfPresent(String.self, forKey: .kind)
        apiVersion = try fields.decodeIfPresent(String.self, forKey: .apiVersion)
        guard kind == Object.kind + "List", apiVersion == Object.resource.apiVersion else {
            throw WireError(
                message: "is a \(kind ?? "document without a kind") of \(apiVersion ?? "no version"), "
                    + "not a \(Object.kind)List of \(Object.resource.apiVersion)")
        }
        metadata = try fields.decodeIfPresent(Metadata.self, forKey: .metadata)
        items = try fields.decodeIfPresent([JSONObject<Object>].self, forKey: .items)
    }
}

/// An event in JSON: one line of a watch.
struct JSONEvent<Object: APIObject>: Decodable {
    let outcome: EventOutcome<Object>

    private enum CodingKeys: String, CodingKey { case type, object }

    private struct Bookmark: Decodable {
        struct Metadata: Decodable {
            var resourceVersion: String?
            var annotations: [String: String]?
        }

        var metadata: Metadata?
    }

    init(from decoder: any Decoder) throws {
        let fields = try decoder.container(keyedBy: CodingKeys.self)
        let type = try fields.decode(String.self, forKey: .type)
        guard fields.contains(.object) else { throw WireError(field: "object", message: "is required") }
        let object = try fields.superDecoder(forKey: .object)
        switch EventType(rawValue: type) {
        case .changed(let change):
            outcome = EventOutcome(change, JSONObject<Object>(from: object).decoded)
        case .bookmark:
            do {
                let metadata = try Bookmark(from: object).metadata
                outcome = try EventOutcome(bookmark: metadata?.resourceVersion ?? "", annotations: metadata?.annotations ?? [:])
            } catch {
                outcome = .problem(JSONObject<Object>.problem(WireError(error, below: object.codingPath), in: object))
            }
        case .error:
            do {
                let kind = try JSONTypeMeta(from: object).kind ?? ""
                outcome = EventOutcome(status: kind == "Status" ? try APIStatus(from: object) : nil, kind: kind)
            } catch {
                outcome = EventOutcome(unreadableStatus: WireError(error, below: object.codingPath))
            }
        case nil:
            outcome = .problem(JSONObject<Object>.problem(EventType.unknown(type), in: object))
        }
    }
}
