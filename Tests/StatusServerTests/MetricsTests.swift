import FoundationEssentials
import Kubernetes
import MetricsRegistry
import Model
import Reconciler
import SyncLoop
@testable import StatusServer
import Synchronization
import Testing
import Translation
import Text

private let both: Set<IPFamily> = [.ipv4, .ipv6]
private let start = Moment(wall: WallTime(seconds: 1_795_399_350), uptime: .seconds(0))

private func routes(
    _ metrics: ProxyMetrics = ProxyMetrics(families: both), _ content: MetricsRoutes.Content = .init(version: "1.36.2", emulates: "1.36")
)
    -> MetricsRoutes
{
    MetricsRoutes(metrics, content, start: start)
}

private func get(_ path: String, _ parameters: [String: String] = [:], accept: String = "") -> StatusResponse {
    let now = Moment(wall: WallTime(seconds: 1_795_399_397), uptime: .seconds(47))
    return routes().answer(StatusRequest(path: path, parameters: parameters, accept: accept), at: now)
}

@Suite struct `The metrics server` {
    @Test(arguments: [
        ("proxyMode", "/proxyMode"), ("metrics-healthz", "/healthz"), ("unknown", "/"), ("unknown", "/debug/flags/v"),
    ]) func `answers like kube-proxy, byte for byte`(name: String, path: String) throws {
        #expect(get(path).isSame(as: try RecordedAnswer(name)))
    }

    @Test func `lists its only check`() throws {
        #expect(get("/healthz", ["verbose": ""]).isSame(as: try RecordedAnswer("metrics-healthz-verbose")))
    }

    /// Returns routes with kube-proxy's recorded flags and configuration.
    private func informed() throws -> (MetricsRoutes, flags: [String: String]) {
        var content = MetricsRoutes.Content(version: "1.36.2", emulates: "1.36")
        content.configuration = try RecordedAnswer("configz").body
        let lines = try RecordedAnswer("flagz").body.split(separator: "\n").dropFirst(2).map { $0.split(separator: "=", maxSplits: 1) }
        let flags = Dictionary(uniqueKeysWithValues: lines.map { (String($0[0]), $0.count > 1 ? String($0[1]) : "") })
        content.flags = flags
        return (routes(ProxyMetrics(families: both), content), flags)
    }

    private func ask(_ routes: MetricsRoutes, _ path: String, accept: String = "") -> StatusResponse {
        let now = Moment(wall: WallTime(seconds: 1_795_399_400), uptime: .seconds(50))
        return routes.answer(StatusRequest(path: path, accept: accept), at: now)
    }

    @Test(arguments: ["configz", "flagz"]) func `M14 shows flags and configuration like kube-proxy, byte for byte`(name: String) throws {
        let (routes, flags) = try informed()
        #expect(flags.count == 59)
        #expect(ask(routes, "/\(name)").isSame(as: try RecordedAnswer(name)))
    }

    @Test func `returns flags as an object if the client requests one`() throws {
        let (routes, flags) = try informed()
        let accept = "text/html, application/json;v=v1beta1;g=config.k8s.io;as=Flagz"
        let response = ask(routes, "/flagz", accept: accept)
        #expect(response.headers == [.init("Content-Type", "application/json;g=config.k8s.io;v=v1beta1;as=Flagz")])
        struct Flagz: Decodable { var kind, apiVersion: String; var metadata, flags: [String: String] }
        let object = try JSONDecoder().decode(Flagz.self, from: Data(response.body.utf8))
        #expect(object.kind == "Flagz" && object.apiVersion == "config.k8s.io/v1beta1" && object.metadata == ["name": "kube-proxy"])
        #expect(object.flags == flags)
    }

    @Test func `M15 shows statusz with its paths like kube-proxy, except for the Go version`() throws {
        func expected(_ name: String) throws -> RecordedAnswer {
            var recorded = try RecordedAnswer(name)
            let lines = recorded.body.split(separator: "\n", omittingEmptySubsequences: false)
            recorded.body = lines.filter { !$0.contains(/[Gg]o ?[Vv]ersion/) }.joined(separator: "\n")
            return recorded
        }
        let routes = try informed().0
        let now = Moment(wall: WallTime(seconds: 1_795_399_397), uptime: .seconds(47))
        #expect(routes.answer(StatusRequest(path: "/statusz"), at: now).isSame(as: try expected("statusz")))
        let json = ask(routes, "/statusz", accept: "application/json;v=v1beta1;g=config.k8s.io;as=Statusz")
        #expect(json.isSame(as: try expected("statusz-json")))
        #expect(!get("/statusz").body.contains("/configz"), "unknown pages are not listed")
    }

    @Test func `sets the log level by PUT only, with profiling enabled`() throws {
        let level = SetLevel()
        var content = MetricsRoutes.Content(version: "1", emulates: "1.36")
        content.setVerbosity = { level.set($0) }
        let routes = MetricsRoutes(ProxyMetrics(families: both), content, start: start)
        func ask(_ method: String, _ body: String) -> StatusResponse {
            routes.answer(StatusRequest(method: method, path: "/debug/flags/v", body: body), at: start)
        }
        #expect(ask("GET", "").isSame(as: try RecordedAnswer("flags-v-get")))
        #expect(ask("PUT", "much").status == 400 && level.value == nil)
        #expect(ask("PUT", "4").isSame(as: try RecordedAnswer("flags-v")))
        #expect(level.value == 4)
    }

    private final class SetLevel: Sendable {
        private let level = Mutex<Int?>(nil)
        var value: Int? { level.withLock(\.self) }
        func set(_ value: Int) { level.withLock { $0 = value } }
    }

    @Test func `returns 404 for configuration and flags that it does not have`() {
        #expect(get("/configz").status == 404 && get("/flagz").status == 404)
    }
}

@Suite struct `Metrics` {
    private let clock = TestClock()
    private let board: StatusBoard

    init() {
        let clock = clock
        board = StatusBoard(families: both, syncPeriod: .seconds(30), expectsNode: false) { clock.now }
    }

    private var text: String { MetricText.exposition(board.metrics.all) }

    private func lines(_ prefix: String) -> [String] { text.split(separator: "\n").map(String.init).filter { $0.hasPrefix(prefix) } }

    private static func names(_ text: String, _ prefix: String) -> Set<String> {
        Set(text.split(separator: "\n").filter { $0.hasPrefix("# TYPE \(prefix)") || $0.hasPrefix("# HELP \(prefix)") }.map(String.init))
    }

    private static func buckets(_ text: String) -> Set<String> {
        Set(
            text.split(separator: "\n").filter { $0.hasPrefix("kubeproxy_") && $0.contains("le=\"") }.map {
                String($0.split(separator: " ")[0])
            })
    }

    @Test func `of kube-proxy are all present with name, type, help, labels and buckets`() throws {
        board.queued()
        board.synced(afterChanges, ProxyStatus(families: both), desired: NodeState())
        let golden = try RecordedAnswer("metrics").body
        let missing = Metrics.names(golden, "kubeproxy_").subtracting(Metrics.names(text, "kubeproxy_"))
        #expect(missing.isEmpty, "\(missing)")
        #expect(Metrics.buckets(golden).subtracting(Metrics.buckets(text)).isEmpty)
        func series(_ text: String) -> Set<String> {
            Set(text.split(separator: "\n").filter { $0.hasPrefix("kubeproxy_") }.map { String($0.split(separator: " ")[0]) })
        }
        let lost = series(golden).subtracting(series(text))
        #expect(lost.isEmpty, "\(lost)")
    }

    @Test func `of API requests match those of Kubernetes's own client`() throws {
        let requests = RequestMetrics(host: "10.99.0.1:6443")
        for code in [200, 200, 200, 200] { requests.answered("GET", code: code) }
        for _ in 0..<2 { requests.answered("POST", code: 201) }
        requests.finished("POST", after: .milliseconds(6))
        requests.finished("POST", after: .milliseconds(300))
        let golden = try RecordedAnswer("metrics").body.split(separator: "\n").filter { line in
            line.contains("rest_client_requests_total") || line.contains("rest_client_request_duration_seconds")
        }
        let text = MetricText.exposition(requests.families).split(separator: "\n")
        #expect(text.filter { !$0.contains("_sum") }.sorted() == golden.filter { !$0.contains("_sum") }.sorted())
        requests.answered("GET", code: nil)
        #expect(
            MetricText.exposition(requests.families).contains(
                #"rest_client_requests_total{code="<error>",host="10.99.0.1:6443",method="GET"} 1"#))
    }

    @Test func `of the process are present`() {
        let text = MetricText.exposition(ProcessMetrics(start: start.wall).families)
        for name in [
            "cpu_seconds_total", "resident_memory_bytes", "virtual_memory_bytes", "virtual_memory_max_bytes", "open_fds", "max_fds",
            "start_time_seconds",
        ] {
            let line = text.split(separator: "\n").first { $0.hasPrefix("process_\(name) ") }
            #expect(line.flatMap { Double($0.split(separator: " ")[1]) } ?? 0 > 0, "\(name)")
        }
    }

    @Test func `report pending changes and count all changes`() {
        let web = NamespacedName(namespace: "default", name: "web")
        var pending = PendingChanges()
        (pending.services, pending.slices) = ([web], [web])
        board.changed([.service(web, nil), .service(web, nil), .endpointSlice(web, nil)], node: nil, pending: pending)
        var probe = ProxyStatus(families: both)
        probe.pendingChanges = pending
        board.synced(SyncOutcome(), probe, desired: NodeState())
        #expect(
            lines("kubeproxy_sync_proxy_rules_service_changes") == [
                "kubeproxy_sync_proxy_rules_service_changes_pending 1", "kubeproxy_sync_proxy_rules_service_changes_total 2",
            ])
        board.synced(afterChanges, ProxyStatus(families: both), desired: NodeState())
        #expect(lines("kubeproxy_sync_proxy_rules_service_changes_pending") == ["kubeproxy_sync_proxy_rules_service_changes_pending 0"])
        #expect(lines("kubeproxy_sync_proxy_rules_endpoint_changes_pending") == ["kubeproxy_sync_proxy_rules_endpoint_changes_pending 0"])
    }

    @Test func `A17 report Services without local endpoints by policy and family`() {
        var proxyStatus = ProxyStatus(families: both)
        proxyStatus.noLocalEndpoints = [NoLocalEndpoints(.external, .ipv4): 3]
        board.synced(SyncOutcome(), proxyStatus, desired: NodeState())
        let name = "kubeproxy_sync_proxy_rules_no_local_endpoints_total"
        #expect(
            lines(name) == [
                #"\#(name){ip_family="IPv4",traffic_policy="external"} 3"#, #"\#(name){ip_family="IPv4",traffic_policy="internal"} 0"#,
                #"\#(name){ip_family="IPv6",traffic_policy="external"} 0"#, #"\#(name){ip_family="IPv6",traffic_policy="internal"} 0"#,
            ])
    }

    @Test func `report a sync with its operations, failures and latency`() {
        var outcome = SyncOutcome()
        outcome.operations = [.createDevice, .restoreRules(Rules(.ipv6), missingJumps: [])]
        outcome.failures = [.init(outcome.operations[1], reason: "refused")]
        outcome.repairs = [outcome.operations[0]]
        outcome.duration = .milliseconds(3)
        outcome.latencies = [.milliseconds(5)]
        outcome.conntrackFlushes = [.ipv6: .init(flows: 4, duration: .milliseconds(3))]
        var proxyStatus = ProxyStatus(families: both)
        proxyStatus.drainingServers = 7
        proxyStatus.droppedPackets = [DroppedPackets(.sourceRanges, .ipv6): 9]
        proxyStatus.refusedAddresses = [
            NamespacedName(namespace: "default", name: "web"): [
                ServiceRefusal(.externalIP, IPAddress(v4: 1), .node), ServiceRefusal(.externalIP, IPAddress(v4: 2), .node),
            ]
        ]
        board.synced(outcome, proxyStatus, desired: NodeState())
        for line in [
            #"kubeproxy_sync_proxy_rules_duration_seconds_bucket{ip_family="IPv4",le="0.002"} 0"#,
            #"kubeproxy_sync_proxy_rules_duration_seconds_bucket{ip_family="IPv4",le="0.004"} 1"#,
            #"kubeproxy_network_programming_duration_seconds_bucket{ip_family="IPv6",le="0.25"} 1"#,
            #"kube_ipvs_proxy_network_programming_duration_seconds_bucket{le="0.004"} 0"#,
            #"kube_ipvs_proxy_network_programming_duration_seconds_bucket{le="0.008"} 1"#,
            #"kubeproxy_sync_proxy_rules_iptables_restore_failures_total{ip_family="IPv6"} 1"#,
            #"kubeproxy_sync_proxy_rules_iptables_restore_failures_total{ip_family="IPv4"} 0"#,
            #"kube_ipvs_proxy_operations_total{operation="createDevice"} 1"#, #"kube_ipvs_proxy_operations_per_sync_sum 2"#,
            #"kube_ipvs_proxy_drift_repaired_total{layer="interface",object="device"} 1"#,
            #"kube_ipvs_proxy_drift_repaired_total{layer="ipvs",object="real_server"} 0"#,
            #"kube_ipvs_proxy_errors_total{layer="iptables",object="rules"} 1"#, "kube_ipvs_proxy_draining_servers 7",
            #"kubeproxy_conntrack_reconciler_deleted_entries_total{ip_family="IPv4"} 0"#,
            #"kubeproxy_conntrack_reconciler_deleted_entries_total{ip_family="IPv6"} 4"#,
            #"kubeproxy_conntrack_reconciler_sync_duration_seconds_bucket{ip_family="IPv6",le="0.002"} 0"#,
            #"kubeproxy_conntrack_reconciler_sync_duration_seconds_bucket{ip_family="IPv6",le="0.004"} 1"#,
            #"kube_ipvs_proxy_dropped_packets_total{ip_family="IPv6",reason="source_ranges"} 9"#,
            #"kube_ipvs_proxy_dropped_packets_total{ip_family="IPv4",reason="no_local_endpoints"} 0"#,
            #"kube_ipvs_proxy_refused_claims{field="externalIPs",reason="node"} 2"#,
        ] {
            #expect(text.contains("\n\(line)\n"), "\(line)")
        }
        #expect(lines("kubeproxy_sync_proxy_rules_last_timestamp").isEmpty, "it did not succeed")
        board.synced(afterChanges, ProxyStatus(families: both), desired: NodeState())
        #expect(lines("kubeproxy_sync_proxy_rules_last_timestamp").count == 2)
        #expect(lines("kube_ipvs_proxy_refused_claims{").isEmpty)
    }

    @Test func `count the responses of health checks`() {
        let start = StartupHealth(expectsNode: false)
        start.start(board)
        let routes = HealthRoutes(start)
        _ = routes.answer(StatusRequest(path: "/healthz"), at: clock.now)
        _ = routes.answer(StatusRequest(path: "/livez"), at: clock.now)
        #expect(
            lines("kubeproxy_proxy_") == [#"kubeproxy_proxy_healthz_total{code="503"} 1"#, #"kubeproxy_proxy_livez_total{code="200"} 1"#])
    }
}

/// A sync that took changes and had nothing to do.
private var afterChanges: SyncOutcome {
    var outcome = SyncOutcome()
    outcome.includesChanges = true
    return outcome
}
