public import Kubernetes
internal import Model
public import Reconciler
public import StatusTable
internal import Translation

/// What the status command asks.
extension Synchronizer {
    /// What the kernel is to hold, for whom, and what stands in the way.
    ///
    /// - Parameter selector: which Services it is about; nil for all.
    public func report(_ selector: LabelSelector? = nil) -> ProxyReport {
        func isAsked(_ service: NamespacedName) -> Bool {
            selector?.matches(cluster.services[service]?.metadata.labels ?? [:]) ?? true
        }
        let asked = translation.desired.virtualServers.filter { $0.value.origin.map { isAsked($0.service) } ?? false }
        let servers = asked.sorted { $0.key < $1.key }.compactMap { _, server in
            server.origin.map { origin in
                ProxyReport.Server(
                    server, origin: origin, draining: draining(server),
                    whyEmpty: server.realServers.isEmpty ? shortage(server, origin).description : nil)
            }
        }
        return ProxyReport(
            node: nodeName, inStep: isInStep, virtualServers: servers,
            notServed: notServed.filter { isAsked(NamespacedName(namespace: $0.namespace, name: $0.service)) })
    }

    /// `metadata.uid` of a Service; nil where it is not known, and for other objects.
    public func uid(of object: ObjectReference) -> String? {
        guard object.kind == "Service" else { return nil }
        return cluster.services[NamespacedName(namespace: object.namespace, name: object.name)]?.metadata.uid
    }

    private func shortage(_ server: VirtualServer, _ origin: ServiceOrigin) -> Shortage {
        Shortage(
            server, of: origin, cluster.services[origin.service], Array((cluster.slices[origin.service] ?? [:]).values), nodeName: nodeName)
    }

    private func draining(_ desired: VirtualServer) -> [ProxyReport.Draining] {
        guard reconciler.draining.contains(desired.identity), let server = reconciler.mirror.virtualServers[desired.identity] else {
            return []
        }
        let now = now
        let timeout = desired.drainTimeout(otherwise: reconciler.drainTimeout)
        return server.realServers.values.sorted { $0.location < $1.location }.compactMap { real in
            guard desired.realServers[real.location] == nil, let since = real.drainingSince else { return nil }
            let seconds = since.duration(to: now).components.seconds
            return ProxyReport.Draining(
                address: "\(real.location.address)", port: real.location.port, pod: real.origin?.pod, node: real.origin?.node,
                seconds: seconds, secondsLeft: max(0, timeout.components.seconds - seconds))
        }
    }

    private var notServed: [ProxyReport.NotServed] {
        let refused = refusedClaims.sorted { $0.key < $1.key }.flatMap { service, refusals in
            refusals.sorted().map { ProxyReport.NotServed(service, reason: "\($0)") }
        }
        let conflicts = translation.conflicts.sorted { $0.key < $1.key }.flatMap { service, identities in
            identities.sorted().map { ProxyReport.NotServed(service, reason: "\($0): an older Service has it") }
        }
        return refused + conflicts
    }

    /// What of the kernel is not as it should be, as two looks at all of it a second apart tell; nothing is changed.
    ///
    /// A sync that is under way makes a difference between two looks; what is a difference in both is one that stays.
    public func differences() async throws -> [Operation] {
        let first = try await look()
        guard !first.isEmpty else { return [] }
        try await Task.sleep(for: .seconds(1))
        let known = Set(first)
        return try await look().filter(known.contains)
    }

    private func look() async throws -> [Operation] {
        let observed = try await dataplane.observe(.everything)
        let ownership = Ownership(observed: observed, localAddresses: localAddresses, excluded: excludedCIDRs)
        // A copy: what the proxy itself takes note of stays as it is.
        var copy = reconciler
        let desired = translation.desired
        copy.adopt(observed, of: .everything, desired: desired, at: now) { ownership.isOurs($0) }
        return copy.plan(for: desired, at: now).operations.filter { operation in
            // One that has drained is deleted in due time.
            guard case .deleteRealServer(let identity, let location) = operation else { return true }
            return observed.virtualServers[identity]?.realServers[location]?.weight != 0
        }
    }
}
