public import Kubernetes
public import Model
public import Reconciler
public import StatusAPI
internal import Translation

/// Reports for the `status` and `plan` commands.
extension SyncLoop {
    /// Returns the desired virtual servers with their Services, the addresses that are not served, and failing operations.
    ///
    /// - Parameter selector: selects the Services to report; nil for all.
    public func report(_ selector: LabelSelector? = nil, at now: Timestamp) -> ProxyReport {
        func isSelected(_ service: NamespacedName) -> Bool {
            selector?.matches(cluster.services[service]?.metadata.labels ?? [:]) ?? true
        }
        let selected = translation.desired.virtualServers.filter { $0.value.origin.map { isSelected($0.service) } ?? false }
        let servers = selected.sorted { $0.key < $1.key }.compactMap { _, server in
            server.origin.map { origin in
                ProxyReport.Server(
                    server, origin: origin, draining: draining(server, at: now),
                    whyEmpty: server.realServers.isEmpty ? reasonForNoRealServers(server, origin).description : nil)
            }
        }
        let status = status
        return ProxyReport(
            node: nodeName, inSync: status.isInSync, virtualServers: servers,
            notServed: notServed(status).filter { isSelected(NamespacedName(namespace: $0.namespace, name: $0.service)) },
            failing: failing(status, at: now, isSelected))
    }

    private func reasonForNoRealServers(_ server: VirtualServer, _ origin: ServiceOrigin) -> NoRealServers {
        NoRealServers(
            server, of: origin, cluster.services[origin.service], cluster.slices[origin.service]?.all ?? [], nodeName: nodeName)
    }

    private func draining(_ desired: VirtualServer, at now: Timestamp) -> [ProxyReport.Draining] {
        guard reconciler.draining.contains(desired.identity), let server = reconciler.mirror.virtualServers[desired.identity] else {
            return []
        }
        let timeout = desired.drainTimeout(otherwise: reconciler.drainTimeout)
        return server.realServers.compactMap { real in
            guard desired.realServers[real.location] == nil, let since = real.drainingSince else { return nil }
            let seconds = since.duration(to: now).components.seconds
            return ProxyReport.Draining(
                address: "\(real.location.address)", port: real.location.port, pod: real.origin?.pod, node: real.origin?.node,
                seconds: seconds, secondsLeft: max(0, timeout.components.seconds - seconds))
        }
    }

    private func notServed(_ status: ProxyStatus) -> [ProxyReport.NotServed] {
        let refused = status.refusedAddresses.sorted { $0.key < $1.key }.flatMap { service, refusals in
            refusals.sorted().map { ProxyReport.NotServed(service, reason: "\($0)") }
        }
        let conflicts = translation.conflicts.sorted { $0.key < $1.key }.flatMap { service, identities in
            identities.sorted().map { ProxyReport.NotServed(service, reason: "\($0): already used by an older Service") }
        }
        return refused + conflicts
    }

    private func failing(_ status: ProxyStatus, at now: Timestamp, _ isSelected: (NamespacedName) -> Bool) -> [ProxyReport.Failing] {
        let operations = status.failures.filter { $0.origin.map { isSelected($0.service) } ?? true }.map { entry in
            ProxyReport.Failing(
                what: entry.operation.command, service: entry.origin?.description, error: entry.reason, attempts: entry.attempts,
                seconds: entry.since.duration(to: now).components.seconds,
                secondsToRetry: max(0, now.duration(to: entry.notBefore).components.seconds))
        }
        let observations = status.unreadable.values.map { failure in
            ProxyReport.Failing(what: "read \(failure.part)", service: nil, error: failure.reason, attempts: failure.attempts)
        }
        return (operations + observations).sorted { $0.what < $1.what }
    }

    // MARK: Comparing with an observed state

    /// Returns the operations that would change an observed kernel state to the desired state, except deletions of drained real servers.
    ///
    /// - Parameter observed: the complete kernel state.
    public func differences(from observed: NodeState, at now: Timestamp) -> [Operation] {
        let plan = plan(from: observed, at: now)
        return plan.operations.filter { operation in
            // The sync loop deletes a drained real server itself.
            guard case .deleteRealServer(let identity, let location) = operation else { return true }
            return observed.virtualServers[identity]?.realServers[location]?.weight != 0
        }
    }

    /// Returns the plan of a first sync on a kernel that holds `observed`.
    public mutating func plan(from observed: NodeState, _ addresses: NodeAddresses, at now: Timestamp) -> Plan {
        nodeAddresses = addresses
        _ = translation.update(cluster.popDirtyServices(), of: cluster, addresses)
        translation.adoptServiceAddresses(of: observed)
        return plan(from: observed, at: now)
    }

    private func plan(from observed: NodeState, at now: Timestamp) -> Plan {
        let ownership = Ownership(observed: observed, localAddresses: localAddresses, excluded: settings.excludedCIDRs)
        // A copy, so that the state of the loop does not change.
        var copy = reconciler
        copy.merge(observed, of: .everything, desired: translation.desired, at: now) { ownership.isOurs($0) }
        return copy.plan(for: translation.desired, at: now, suspendsRemovals: suspendsRemovals)
    }

    /// Returns the Service port that an operation serves; nil if it is not known.
    public func origin(of operation: Operation) -> ServiceOrigin? { reconciler.origin(of: operation, desired: translation.desired) }
}
