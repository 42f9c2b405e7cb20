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
                message: "is a \(kind ?? "thing without a kind") of \(apiVersion ?? "no version"), "
                    + "not a \(Object.kind)List of \(Object.resource.apiVersion)")
        }
        metadata = try fields.decodeIfPresent(Metadata.self, forKey: .metadata)
        items = try fields.decodeIfPresent([JSONObject<Object>].self, forKey: .items)
    }
}
