/// An object at one version, in both encodings, so that it is encoded only once.
final class StoredObject: Sendable {
    let resource: ServerResource
    let version: Int
    let namespace: String
    let name: String
    /// The fields that stay the same when the object is replaced: `uid`, `creationTimestamp`.
    let identity: JSON
    let labels: [String: String]
    /// The fields for field selectors.
    let fields: [String: String]
    /// As in lists: without kind and apiVersion.
    let json: [UInt8]
    /// Without the envelope.
    let protobuf: [UInt8]

    /// `value` has no kind and no apiVersion.
    init(_ resource: ServerResource, _ value: JSON, version: Int) throws(ProtobufWriter.Mismatch) {
        var value = value
        var metadata = value["metadata"] ?? [:]
        metadata["resourceVersion"] = .string("\(version)")
        value["metadata"] = metadata
        self.resource = resource
        self.version = version
        namespace = metadata["namespace"]?.text ?? ""
        name = metadata["name"]?.text ?? ""
        var identity: JSON = [:]
        for field in ["uid", "creationTimestamp"] { identity[field] = metadata[field] }
        self.identity = identity
        labels = metadata["labels"]?.texts ?? [:]
        var fields = ["metadata.name": name, "metadata.namespace": namespace]
        for field in resource.selectableFields {
            let found = field.split(separator: ".").reduce(Optional(value)) { $0?[String($1)] }
            fields[field] = found?.text ?? found?.bool.map { "\($0)" } ?? ""
        }
        self.fields = fields
        json = value.bytes
        protobuf = try ProtobufWriter.message(resource.kind, value)
    }

    var key: String { "\(namespace)/\(name)" }

    /// With kind and apiVersion, as in single objects and events.
    var typedJSON: [UInt8] {
        Array("{\"kind\":\"\(resource.kind)\",\"apiVersion\":\"\(resource.apiVersion)\",".utf8) + json.dropFirst()
    }

    /// The value that was stored.
    var value: JSON {
        do {
            return try JSON(json)
        } catch {
            preconditionFailure("the server's own text: \(error)")
        }
    }

    /// Returns the same object at another version.
    func at(version: Int) -> StoredObject {
        do {
            return try StoredObject(resource, value, version: version)
        } catch {
            preconditionFailure("an object that fitted the table does so no longer: \(error)")
        }
    }
}
