internal import Kubernetes

/// An object in JSON, read or not: what is wrong with one does not stop the others.
struct JSONObject<Object: APIObject>: Decodable {
    let decoded: Decoded<Object>

    init(from decoder: any Decoder) {
        do {
            let type = try JSONTypeMeta(from: decoder)
            // Items of a list have no kind; objects of events have.
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

    /// A problem that names its object if anyhow possible.
    static func problem(_ error: WireError, in decoder: any Decoder) -> WireProblem {
        // Where not even the name can be read, the problem is told without one.
        let identity = (try? JSONIdentity(from: decoder))?.metadata
        return Object.problem(error, name: identity?.name, namespace: identity?.namespace, resourceVersion: identity?.resourceVersion)
    }
}
