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
