public import Kubernetes
public import Model
public import Reconciler
public import StatusAPI
internal import Translation

/// What the status command and the plan command ask.
extension SyncLoop {
    /// What the kernel is to hold, for whom, and what stands in the way.
    ///
    /// - Parameter selector: which Services it is about; nil for all.
    public func report(_ selector: LabelSelector? = nil, at now: Timestamp) -> ProxyReport {
        func isSelected(_ service: NamespacedName) -> Bool {
            selector?.matches(cluster.services[service]?.metadata.labels ?? [:]) ?? true
        }
        let asked = translation.desired.virtualServers.filter { $0.value.origin.map { isSelected($0.service) } ?? false }
        let servers = asked.sorted { $0.key < $1.key }.compactMap { _, server in
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
            server, of: origin, cluster.services[origin.service], Array((cluster.slices[origin.service] ?? [:]).values), nodeName: nodeName)
    }

    private func draining(_ desired: VirtualServer, at now: Timestamp) -> [ProxyReport.Draining] {
        guard reconciler.draining.contains(desired.identity), let server = reconciler.mirror.virtualServers[desired.identity] else {
            return []
        }
        let timeout = desired.drainTimeout(otherwise: reconciler.drainTimeout)
        return server.realServers.values.sorted { $0.location < $1.location }.compactMap { real in
            guard desired.realServers[real.location] == nil, let since = real.drainingSince else { return nil }
            let seconds = since.duration(to: now).components.seconds
            return ProxyReport.Draining(
                address: "\(real.location.address)", port: real.location.port, pod: real.origin?.pod, node: real.origin?.node,
                seconds: seconds, secondsLeft: max(0, timeout.components.seconds - seconds))
        }
    }

    private func notServed(_ status: ProxyStatus) -> [ProxyReport.NotServed] {
        let refused = status.refusedClaims.sorted { $0.key < $1.key }.flatMap { service, refusals in
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

    // MARK: Looking from outside

    /// What the kernel holds other than it should, where all of it was observed.
    public func differences(from observed: NodeState, at now: Timestamp) -> [Operation] {
        let plan = plan(from: observed, at: now)
        return plan.operations.filter { operation in
            // One that has drained is deleted in due time.
            guard case .deleteRealServer(let identity, let location) = operation else { return true }
            return observed.virtualServers[identity]?.realServers[location]?.weight != 0
        }
    }

    /// What a first sync would do on a kernel that holds this.
    public mutating func plan(from observed: NodeState, localAddresses: Set<IPAddress>, at now: Timestamp) -> Plan {
        self.localAddresses = localAddresses
        _ = translation.update(cluster.takeDirtyServices(), of: cluster, localAddresses: localAddresses)
        return plan(from: observed, at: now)
    }

    private func plan(from observed: NodeState, at now: Timestamp) -> Plan {
        let ownership = Ownership(observed: observed, localAddresses: localAddresses, excluded: settings.excludedCIDRs)
        // A copy: what the loop itself knows stays as it is.
        var copy = reconciler
        copy.adopt(observed, of: .everything, desired: translation.desired, at: now) { ownership.isOurs($0) }
        return copy.plan(for: translation.desired, at: now, suspendsRemovals: suspendsRemovals)
    }

    /// The Service port that an operation is about.
    public func origin(of operation: Operation) -> ServiceOrigin? { reconciler.origin(of: operation, desired: translation.desired) }
}
