internal import Kubernetes
internal import Model

/// The Services that need the addresses of the other Nodes, and how long those are followed after the last such Service.
///
/// Users create and delete Services at will; listing all Nodes each time would let them overload the API server.
struct OtherNodesDemand: Hashable, Sendable {
    /// How long the Nodes are followed after the last Service that needs them is removed.
    let linger: Duration
    private var services: Set<NamespacedName> = []
    private var isFollowing = false
    /// When it was first observed that no Service needs the Nodes.
    private var idleSince: Timestamp?

    init(linger: Duration) { self.linger = linger }

    /// Applies changes; returns whether the Nodes have to be followed from now on.
    mutating func take(_ changes: [ClusterChange], allowing allowsExternalIP: (IPAddress) -> Bool) -> Bool {
        for case .service(let name, let service) in changes {
            if service?.hasExternalVIPs(allowing: allowsExternalIP) == true { services.insert(name) } else { services.remove(name) }
        }
        guard !services.isEmpty else { return false }
        idleSince = nil
        defer { isFollowing = true }
        return !isFollowing
    }

    /// Whether to stop following the Nodes; to be called periodically.
    mutating func release(at now: Timestamp) -> Bool {
        guard isFollowing, services.isEmpty else { return false }
        let since = idleSince ?? now
        idleSince = since
        guard since.duration(to: now) >= linger else { return false }
        isFollowing = false
        idleSince = nil
        return true
    }
}
