/// `kind` and `apiVersion`.
struct JSONTypeMeta: Decodable {
    var kind: String?
    var apiVersion: String?
}
