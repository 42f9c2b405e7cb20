internal import Kubernetes
public import MetricsRegistry
internal import Model
internal import Reconciler
internal import SyncLoop
internal import Text
internal import Translation

/// The metrics of kube-proxy in ipvs mode, with its names, and those of this program, which begin with `kube_ipvs_proxy_`.
///
/// A sync covers both families here, so metrics of syncs have the same values for each.
public final class ProxyMetrics: Sendable {
    let syncDuration: Histogram
    let syncTimestamp: NumberMetric
    let queuedTimestamp: NumberMetric
    let programming: Histogram
    let endpointChangesPending = NumberMetric.gauge(
        "kubeproxy_sync_proxy_rules_endpoint_changes_pending", "[ALPHA] Pending proxy rules Endpoint changes", start: [.none])
    let endpointChanges = NumberMetric.counter(
        "kubeproxy_sync_proxy_rules_endpoint_changes_total", "[ALPHA] Cumulative proxy rules Endpoint changes", start: [.none])
    let serviceChangesPending = NumberMetric.gauge(
        "kubeproxy_sync_proxy_rules_service_changes_pending", "[ALPHA] Pending proxy rules Service changes", start: [.none])
    let serviceChanges = NumberMetric.counter(
        "kubeproxy_sync_proxy_rules_service_changes_total", "[ALPHA] Cumulative proxy rules Service changes", start: [.none])
    let noLocalEndpoints: NumberMetric
    let restoreFailures: NumberMetric
    let conntrackDuration: Histogram
    let deletedConntrackEntries: NumberMetric
    let healthz = NumberMetric.counter("kubeproxy_proxy_healthz_total", "[ALPHA] Cumulative proxy healthz HTTP status")
    let livez = NumberMetric.counter("kubeproxy_proxy_livez_total", "[ALPHA] Cumulative proxy livez HTTP status")

    let exactProgramming = Histogram(
        "kube_ipvs_proxy_network_programming_duration_seconds",
        "Latency in seconds from the trigger of an endpoint change until the kernel is programmed, with buckets from 1 ms",
        bounds: Histogram.exponential(from: 0.001, count: 20), start: [.none])
    let operations = NumberMetric.counter(
        "kube_ipvs_proxy_operations_total", "Cumulative number of kernel operations applied, by operation")
    let failures = NumberMetric.counter(
        "kube_ipvs_proxy_errors_total", "Cumulative number of failed kernel operations and observations, by layer and kind of object",
        start: [["layer": "kernel", "object": "observation"]])
    let driftRepaired = NumberMetric.counter(
        "kube_ipvs_proxy_drift_repaired_total",
        "Cumulative number of kernel operations that repaired external changes, by layer and kind of object",
        start: Set(OperationKind.allCases.filter { $0 != .flushConntrack }.flatMap { [$0.labels(.iptables), $0.labels(.nftables)] })
            .map(\.self))
    let announced = NumberMetric.counter(
        "kube_ipvs_proxy_announced_observations_total",
        "Cumulative number of observations of kernel state because the kernel announced a change, by kind of object",
        start: AnnouncedPart.allCases.map { ["object": $0.rawValue] })
    let operationsPerSync = Histogram(
        "kube_ipvs_proxy_operations_per_sync", "Number of kernel operations per sync",
        bounds: [0, 1, 2, 5, 10, 50, 100, 1000, 10000, 100_000],
        start: [.none])
    let draining = NumberMetric.gauge(
        "kube_ipvs_proxy_draining_servers", "Number of draining real servers: they keep their connections and get no new ones",
        start: [.none])
    let refusedAddresses = NumberMetric.gauge(
        "kube_ipvs_proxy_refused_claims", "Number of refused addresses of Services and endpoints, by field and reason")
    let conflicts = NumberMetric.gauge(
        "kube_ipvs_proxy_conflicting_claims", "Number of addresses and ports not served because an older Service uses them", start: [.none])
    let droppedPackets: NumberMetric
    let invalidAnnotations = NumberMetric.gauge(
        "kube_ipvs_proxy_invalid_annotations", "Number of ignored annotations of Services and EndpointSlices, by annotation")
    let undoneServices = NumberMetric.gauge(
        "kube_ipvs_proxy_undone_services", "Number of Services that the last sync left incomplete", start: [.none])

    let standby = NumberMetric.gauge(
        "kube_ipvs_proxy_standby", "1 while this instance waits as standby and changes nothing, else 0", start: [.none])
    let auditInterval = NumberMetric.gauge(
        "kube_ipvs_proxy_audit_interval_seconds", "Time in seconds between the last two audits, by part of the kernel state")
    let auditCPU = NumberMetric.counter(
        "kube_ipvs_proxy_audit_cpu_seconds_total", "Cumulative CPU time in seconds of reading and comparing kernel state in audits",
        start: [.none])

    private let families: [MetricLabels]

    init(families: Set<IPFamily>) {
        let labels = families.map { MetricLabels($0) }
        self.families = labels
        syncDuration = Histogram(
            "kubeproxy_sync_proxy_rules_duration_seconds", "[ALPHA] SyncProxyRules latency in seconds",
            bounds: Histogram.exponential(from: 0.001, count: 15), start: labels)
        syncTimestamp = .gauge(
            "kubeproxy_sync_proxy_rules_last_timestamp_seconds", "[ALPHA] The last time proxy rules were successfully synced")
        queuedTimestamp = .gauge(
            "kubeproxy_sync_proxy_rules_last_queued_timestamp_seconds", "[ALPHA] The last time a sync of proxy rules was queued")
        let steps =
            [0.25, 0.5] + stride(from: 1, to: 60, by: 1) + stride(from: 60, to: 120, by: 5) + stride(from: 120, through: 300, by: 30)
        programming = Histogram(
            "kubeproxy_network_programming_duration_seconds", "[ALPHA] In Cluster Network Programming Latency in seconds", bounds: steps,
            start: labels)
        noLocalEndpoints = .gauge(
            "kubeproxy_sync_proxy_rules_no_local_endpoints_total",
            "[ALPHA] Number of services with a Local traffic policy and no endpoints",
            start: families.flatMap { family in NoLocalEndpoints.Policy.allCases.map { MetricLabels(NoLocalEndpoints($0, family)) } })
        restoreFailures = .counter(
            "kubeproxy_sync_proxy_rules_iptables_restore_failures_total", "[ALPHA] Cumulative proxy iptables restore failures",
            start: labels)
        conntrackDuration = Histogram(
            "kubeproxy_conntrack_reconciler_sync_duration_seconds", "[ALPHA] ReconcileConntrackFlowEntries latency in seconds",
            bounds: Histogram.exponential(from: 0.001, count: 15), start: labels)
        droppedPackets = .counter(
            "kube_ipvs_proxy_dropped_packets_total", "Cumulative number of packets dropped by rules of the proxy, as of their last read",
            start: families.flatMap { family in
                DroppedPackets.Reason.allCases.map { MetricLabels(DroppedPackets($0, family)) }
            })
        deletedConntrackEntries = .counter(
            "kubeproxy_conntrack_reconciler_deleted_entries_total",
            "[ALPHA] Cumulative conntrack flows deleted by conntrack reconciler", start: labels)
    }

    /// All metrics.
    public var all: [any MetricFamily] {
        [
            syncDuration, syncTimestamp, queuedTimestamp, programming, endpointChangesPending, endpointChanges, serviceChangesPending,
            serviceChanges, noLocalEndpoints, restoreFailures, conntrackDuration, deletedConntrackEntries, healthz, livez, exactProgramming,
            operations, failures, driftRepaired, announced, operationsPerSync,
            draining, refusedAddresses, conflicts, invalidAnnotations, undoneServices, droppedPackets,
            standby, auditInterval, auditCPU,
        ]
    }

    // MARK: Updates

    func setStandby(_ isStandby: Bool) { standby.set(isStandby ? 1 : 0) }

    func changed(_ changes: [ClusterChange], pending: PendingChanges) {
        var (services, slices) = (0.0, 0.0)
        for change in changes {
            switch change {
            case .service: services += 1
            case .endpointSlice: slices += 1
            case .node, .otherNodes: break
            }
        }
        serviceChanges.add(services)
        endpointChanges.add(slices)
        set(pending)
    }

    private func set(_ pending: PendingChanges) {
        serviceChangesPending.set(Double(pending.services.count))
        endpointChangesPending.set(Double(pending.slices.count))
    }

    func queued(at now: Moment) {
        for labels in families { queuedTimestamp.set(now.wall.secondsSinceEpoch, labels) }
    }

    func synced(_ outcome: SyncOutcome, _ status: ProxyStatus, before: ProxyStatus, at now: Moment) {
        count(outcome)
        draining.set(Double(status.drainingServers))
        for (dropped, count) in status.droppedPackets { droppedPackets.set(Double(count), MetricLabels(dropped)) }
        set(status.pendingChanges)
        undoneServices.set(Double(status.pendingServices.count))
        update(status, before)
        // Audits that only observe the kernel are not counted as syncs.
        guard !outcome.isObservationOnly else { return }
        for labels in families {
            syncDuration.observe(outcome.duration.inSeconds, labels)
            if outcome.succeeded { syncTimestamp.set(now.wall.secondsSinceEpoch, labels) }
            for latency in outcome.latencies { programming.observe(latency.inSeconds, labels) }
        }
        for latency in outcome.latencies { exactProgramming.observe(latency.inSeconds) }
        operationsPerSync.observe(Double(outcome.operations.count))
    }

    func audited(_ status: AuditStatus) {
        if let interval = status.overview { auditInterval.set(interval.inSeconds, ["part": "overview"]) }
        if let interval = status.realServers { auditInterval.set(interval.inSeconds, ["part": "real_servers"]) }
        auditCPU.set(status.cost.inSeconds)
    }

    private func count(_ outcome: SyncOutcome) {
        for (kind, count) in outcome.counts { operations.add(Double(count), ["operation": kind.rawValue]) }
        for failure in outcome.failures + outcome.recovered {
            failures.add(1, failure.operation.labels)
            if case .restoreRules(let rules, _) = failure.operation, rules.packetFilter == .iptables {
                restoreFailures.add(1, MetricLabels(rules.family))
            }
        }
        for operation in outcome.repairs { driftRepaired.add(1, operation.labels) }
        for (part, count) in outcome.announced { announced.add(Double(count), ["object": part.rawValue]) }
        for (family, conntrackFlushes) in outcome.conntrackFlushes {
            conntrackDuration.observe(conntrackFlushes.duration.inSeconds, MetricLabels(family))
            deletedConntrackEntries.add(Double(conntrackFlushes.flows), MetricLabels(family))
        }
        for _ in outcome.observationFailures { failures.add(1, ["layer": "kernel", "object": "observation"]) }
    }

    private func update(_ status: ProxyStatus, _ before: ProxyStatus) {
        for (policy, count) in status.noLocalEndpoints { noLocalEndpoints.set(Double(count), MetricLabels(policy)) }
        // Equal values share their storage, so that comparing them is cheap.
        if status.conflicts != before.conflicts { conflicts.set(Double(status.conflicts.values.reduce(0) { $0 + $1.count })) }
        if status.refusedAddresses != before.refusedAddresses { updateRefusals(status) }
        if status.invalidAnnotations != before.invalidAnnotations { updateInvalidAnnotations(status) }
    }

    private func updateRefusals(_ status: ProxyStatus) {
        var refused: [MetricLabels: Double] = [:]
        for refusal in status.refusedAddresses.values.joined() {
            refused[["field": refusal.field.label, "reason": refusal.reason.label], default: 0] += 1
        }
        refusedAddresses.replace(refused)
    }

    private func updateInvalidAnnotations(_ status: ProxyStatus) {
        var invalid: [MetricLabels: Double] = [:]
        for annotation in status.invalidAnnotations.values.joined() {
            invalid[["annotation": annotation.annotation?.rawValue ?? "unknown"], default: 0] += 1
        }
        invalidAnnotations.replace(invalid)
    }
}

extension MetricLabels {
    init(_ family: IPFamily) { self = ["ip_family": family.rawValue] }

    init(_ dropped: DroppedPackets) { self = ["ip_family": dropped.family.rawValue, "reason": dropped.reason.label] }

    init(_ missing: NoLocalEndpoints) { self = ["ip_family": missing.family.rawValue, "traffic_policy": missing.policy.rawValue] }
}

extension Operation {
    var labels: MetricLabels {
        if case .removeRules(let rules) = self, rules.backend == .ipset { return OperationKind.destroySet.labels(.iptables) }
        return kind.labels(packetFilter)
    }

    /// The packet filter whose sets or rules the operation changes.
    private var packetFilter: PacketFilterKind {
        switch self {
        case .createSet(let set), .replaceSet(let set): set.name.store == .ipset ? .iptables : .nftables
        case .addMember(let name, _, _), .removeMember(let name, _), .destroySet(let name): name.store == .ipset ? .iptables : .nftables
        case .restoreRules(let rules, _): rules.packetFilter
        case .removeRules(let rules): rules.backend == .nftables ? .nftables : .iptables
        default: .iptables
        }
    }
}

extension OperationKind {
    /// The kernel layer of an operation, and the kind of object that it changes.
    fileprivate func labels(_ packetFilter: PacketFilterKind) -> MetricLabels {
        let isIPTables = packetFilter == .iptables
        return switch self {
        case .createSet, .replaceSet, .destroySet: ["layer": isIPTables ? "ipset" : "nftables", "object": "set"]
        case .addMember, .removeMember: ["layer": isIPTables ? "ipset" : "nftables", "object": "member"]
        case .restoreRules, .removeRules, .removeLeftoverRules: ["layer": isIPTables ? "iptables" : "nftables", "object": "rules"]
        case .deleteLeftoverTable: ["layer": "nftables", "object": "table"]
        case .createDevice, .deleteDevice, .setDeviceUp: ["layer": "interface", "object": "device"]
        case .bind, .unbind: ["layer": "interface", "object": "address"]
        case .addRoute, .removeRoute: ["layer": "interface", "object": "route"]
        case .addVirtualServer, .editVirtualServer, .deleteVirtualServer: ["layer": "ipvs", "object": "virtual_server"]
        case .addRealServer, .editRealServer, .deleteRealServer: ["layer": "ipvs", "object": "real_server"]
        case .flushConntrack: ["layer": "conntrack", "object": "flow"]
        }
    }
}

extension ServiceRefusal.Field {
    /// The field without the name of the object, which would add a series for each object.
    var label: String {
        switch self {
        case .clusterIP: "clusterIPs"
        case .externalIP: "externalIPs"
        case .loadBalancerIngress: "loadBalancer.ingress"
        case .endpoint: "endpoints.addresses"
        case .port: "ports"
        }
    }
}

extension DroppedPackets.Reason {
    var label: String {
        switch self {
        case .noLocalEndpoints: "no_local_endpoints"
        case .sourceRanges: "source_ranges"
        }
    }
}

extension ServiceRefusal.Reason {
    var label: String {
        switch self {
        case .node: "node"
        case .apiServer: "api_server"
        case .reserved: "reserved"
        case .kernel: "kernel"
        case .notAllowed: "not_allowed"
        case .limit: "limit"
        }
    }
}
