internal import Model
internal import Synchronization

/// The `metadata.uid` of each Service, without which `kubectl describe` does not show the Events about it.
public final class ServiceIdentities: Sendable {
    private let uids = Mutex<[NamespacedName: String]>([:])

    public init() {}

    /// Applies changes of the cluster.
    public func apply(_ changes: [ClusterChange]) {
        uids.withLock { uids in
            for case .service(let name, let service) in changes { uids[name] = service?.metadata.uid }
        }
    }

    /// Returns nil if the uid is unknown, and for objects other than Services.
    public func uid(of object: ObjectReference) -> String? {
        guard object.kind == "Service" else { return nil }
        return uids.withLock { $0[NamespacedName(namespace: object.namespace, name: object.name)] }
    }
}
