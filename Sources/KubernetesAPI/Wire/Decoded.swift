internal import FoundationEssentials
internal import Kubernetes
internal import Model

/// An object of a list or an event, read or not.
typealias Decoded<Object: APIObject> = Result<Versioned<Object>, WireProblem>

extension APIObject {
    /// Refuses objects that cannot be told apart: everything else about them may be missing, but not the name.
    func requireName() throws(WireError) {
        guard !namespacedName.name.isEmpty else { throw WireError(field: "metadata.name", message: "is required") }
        guard !Self.resource.namespaced || !namespacedName.namespace.isEmpty else {
            throw WireError(field: "metadata.namespace", message: "is required")
        }
    }

    /// Reads an object in protobuf, without its envelope.
    static func decode(protobuf bytes: Data) -> Decoded<Self> {
        do {
            let read = try Self.read(ProtobufObject(bytes))
            try read.object.requireName()
            return .success(read)
        } catch {
            return .failure(problem(error, in: bytes))
        }
    }

    /// A problem that names its object if anyhow possible.
    static func problem(_ error: WireError, in bytes: Data) -> WireProblem {
        // Where not even the name can be read, the problem is told without one.
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
