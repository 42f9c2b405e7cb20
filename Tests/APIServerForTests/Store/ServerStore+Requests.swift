import FoundationEssentials

/// The requests of clients, and their errors.
extension ServerStore {
    /// The place of an object; `name` is from the path, nil if it has none.
    struct Place: Sendable {
        var resource: ServerResource
        var namespace: String?
        var name: String?

        var key: String { "\(namespace ?? "")/\(name ?? "")" }
    }

    func get(_ place: Place) throws(TestStatus) -> StoredObject {
        guard let object = objects[place.resource.plural]?[place.key] else { throw TestStatus(notFound: place) }
        return object
    }

    mutating func create(_ place: Place, _ body: JSON) throws(TestStatus) -> StoredEvent {
        var place = place
        var value = try checked(body, place)
        var metadata = value["metadata"] ?? [:]
        if metadata["name"] == nil, let prefix = metadata["generateName"]?.text {
            metadata["name"] = .string("\(prefix)\(String(version + 1, radix: 36))")
        }
        guard let name = metadata["name"]?.text, !name.isEmpty else {
            throw TestStatus(422, reason: "Invalid", message: "metadata.name: Required value: name or generateName is required")
        }
        place.name = name
        guard objects[place.resource.plural]?[place.key] == nil else {
            let message = "\(place.resource.qualifiedName) \"\(name)\" already exists"
            throw TestStatus(409, reason: "AlreadyExists", message: message, about: place)
        }
        let serial = String(version + 1, radix: 16)
        metadata["uid"] = .string("00000000-0000-4000-8000-\(String(repeating: "0", count: 12 - serial.count))\(serial)")
        metadata["creationTimestamp"] = .string(Date.now.formatted(.iso8601))
        value["metadata"] = metadata
        return try store(place, value)
    }

    /// Returns nil if nothing changes.
    mutating func replace(_ place: Place, _ body: JSON) throws(TestStatus) -> StoredEvent? {
        let old = try get(place)
        var value = try checked(body, place)
        var metadata = value["metadata"] ?? [:]
        if let name = metadata["name"]?.text, name != place.name {
            throw TestStatus(400, reason: "BadRequest", message: "the name of the object does not match the name on the URL")
        }
        if let version = metadata["resourceVersion"]?.text, !version.isEmpty, version != "\(old.version)" {
            let message =
                "Operation cannot be fulfilled on \(place.resource.qualifiedName) \"\(place.name ?? "")\": the object has been modified; "
                + "please apply your changes to the latest version and try again"
            throw TestStatus(409, reason: "Conflict", message: message, about: place)
        }
        metadata["name"] = .string(old.name)
        metadata["resourceVersion"] = .string("\(old.version)")
        metadata = metadata.merging(old.identity)
        value["metadata"] = metadata
        return value.bytes == old.json ? nil : try store(place, value)
    }

    /// Returns nil if nothing changes.
    mutating func patch(_ place: Place, _ patch: JSON) throws(TestStatus) -> StoredEvent? {
        // Only a version in the patch itself is a precondition.
        var merged = try get(place).value
        merged["metadata"]?["resourceVersion"] = ""
        return try replace(place, merged.merging(patch))
    }

    /// Returns the objects that are deleted: the contents of a Namespace, and last the object itself.
    func deleted(with place: Place) throws(TestStatus) -> [StoredObject] {
        let object = try get(place)
        return place.resource.plural == "namespaces" ? contents(of: object.name) + [object] : [object]
    }

    private mutating func store(_ place: Place, _ value: JSON) throws(TestStatus) -> StoredEvent {
        do throws(ProtobufWriter.Mismatch) {
            return try put(place.resource, value)
        } catch {
            throw TestStatus(400, reason: "BadRequest", message: "\(place.resource.kind) cannot be handled: \(error)")
        }
    }

    /// Returns an object as it is stored; throws if it does not belong at the path.
    private func checked(_ body: JSON, _ place: Place) throws(TestStatus) -> JSON {
        guard body.members != nil else { throw TestStatus(400, reason: "BadRequest", message: "no object") }
        let resource = place.resource
        guard body["kind"]?.text ?? resource.kind == resource.kind, body["apiVersion"]?.text ?? resource.apiVersion == resource.apiVersion
        else { throw TestStatus(400, reason: "BadRequest", message: "is no \(resource.kind) of \(resource.apiVersion)") }
        var value = body
        value["kind"] = nil
        value["apiVersion"] = nil
        var metadata = value["metadata"] ?? [:]
        if let namespace = metadata["namespace"]?.text, !namespace.isEmpty, namespace != place.namespace {
            throw TestStatus(400, reason: "BadRequest", message: "the namespace of the object does not match the namespace on the request")
        }
        metadata["namespace"] = place.namespace.map { .string($0) }
        value["metadata"] = metadata
        return value
    }
}
