import FoundationEssentials
import Kubernetes
import Logging
import MetricsRegistry
import Model
import Reconciler
import StatusAPI
import StatusTable
import SyncLoop
import TestSupport
import Testing
import Traffic
import Translation

@testable import KernelDataplane
@testable import Klog
@testable import StatusServer

/// Objects in which every text is hostile, as far as the API lets it be, and further.
@Suite struct `Text from objects` {
    /// It would end a line, a string or an argument, be a directive of a format, or control a terminal.
    private static let text =
        "evil\nE1123 forged\r\t\"'`\\%n%s%100000d -j ACCEPT\n-A INPUT -j ACCEPT\nCOMMIT\n$(reboot);|&<>*?~#--"
        + "\u{0}\u{1b}[2J\u{1b}]0;x\u{7}\u{7f}\u{9b}31m\u{85}\u{2028}\u{202e}\u{2066}\u{200f}\u{feff}\u{e0001}é漢{},=:"

    /// Labels cannot contain NUL.
    private static let name = text.replacing("\u{0}", with: "")

    private static let service = NamespacedName(namespace: name, name: name)

    private func changes() -> [ClusterChange] {
        let (text, name) = (Self.text, Self.name)
        var annotations: [String: String] = [:]
        for annotation in Annotation.allCases { annotations[annotation.rawValue] = text }
        annotations[Annotation.prefix + name] = text
        annotations = Annotation.kept(of: annotations)
        let metadata = ObjectMeta(name: name, namespace: name, uid: text, labels: Labels([text: text]), annotations: annotations)
        let service = Service(
            metadata: metadata, type: .loadBalancer, clusterIP: "10.96.0.10", clusterIPs: ["10.96.0.10", text], ipFamilyPolicy: text,
            ports: [ServicePort(name: name, transport: .tcp, port: 80, targetPort: .name(text), nodePort: 30080)], selector: [text: text],
            externalIPs: [text, "192.0.2.10", "127.0.0.1", "10.99.0.2"],
            loadBalancerSourceRanges: [text, "10.0.0.0/8", "10.0.0.0/8", "10.1.0.0/16"], externalTrafficPolicy: .local,
            healthCheckNodePort: 32000, loadBalancerIngress: [.init(ip: text, ipMode: text), .init(ip: "198.51.100.1")])
        let slice = EndpointSlice(
            metadata: ObjectMeta(
                name: name, namespace: name, labels: Labels([EndpointSlice.serviceNameLabel: name]), annotations: annotations),
            addressType: .ipv4,
            endpoints: [
                Endpoint(
                    addresses: [IPAddress(v4: 0x0af4_0001)], nodeName: text, pod: text, zoneHints: [text], nodeHints: [text]),
                Endpoint(addresses: [IPAddress(v4: 0x7f00_0001)], nodeName: "node1", pod: text),
            ], ports: [EndpointPort(name: name, port: 8080, transport: .tcp)])
        let node = Node(
            metadata: ObjectMeta(name: "node1", labels: Labels([Node.zoneLabel: text])), podCIDRs: [text, "10.244.0.0/16"],
            addresses: [NodeAddress(type: "InternalIP", address: "10.99.0.2"), NodeAddress(type: text, address: text)])
        return [
            .node("node1", node), .service(Self.service, service),
            .endpointSlice(Self.service, slice),
        ]
    }

    /// The loop after it applied the objects, with what it announced.
    private func synced() -> (loop: SyncLoop, kernel: FakeKernel, notices: [Announcer.Notice]) {
        var loop = SyncLoop(
            SyncLoop.Settings(minSyncPeriod: .zero, syncPeriod: .seconds(30), drainTimeout: .seconds(30)),
            translation: Translation(TranslationSettings(nodeName: "node1")), start: Date())
        var kernel = FakeKernel()
        kernel.failures = [.addRealServer: 1, .addVirtualServer: 1]
        var (now, notices) = (Timestamp(nanoseconds: 1_000_000_000), [Announcer.Notice]())
        var status = loop.status
        loop.absorb(changes(), at: now)
        loop.sourceChanged(isListed: true, isIncomplete: false, at: now)
        for _ in 0..<1000 {
            now = now.advanced(by: .milliseconds(5))
            let step = loop.next(at: now, wall: Date())
            notices += loop.popNotices()
            switch step {
            case .readAddresses: loop.readAddresses(.success(NodeAddresses([IPAddress(v4: 0x0a63_0002)])), at: now)
            case .testSchedulers(let schedulers): loop.testedSchedulers(schedulers, .success(Set(schedulers)))
            case .observe(let scope): loop.observed(Result { try kernel.observe(scope) }, of: scope, at: now)
            case .apply(let operations): loop.applied(operations, kernel.apply(operations), at: now)
            case .start(.observeRules(let family)): loop.rulesObserved(Result { try kernel.observeRules(family) }, family, at: now)
            case .start(.observeOtherBackends(let family)):
                loop.otherBackendsObserved(Result { try kernel.observeOtherBackends(family) }, family, at: now)
            case .start(.applyRules(let operation)):
                _ = kernel.apply(operation)
                loop.rulesApplied(operation, .success([:]), at: now)
            case .publish(let outcome, let after):
                let known = loop
                notices += Announcer.notices(outcome, from: status, to: after, origin: { known.origin(of: $0) }, isVerbose: true)
                status = after
            case .start(.audit), .beginServing, .fail, .wait: break
            }
        }
        return (loop, kernel, notices)
    }

    private func isSafe(_ line: String) -> Bool { line.unicodeScalars.allSatisfy { $0.value >= 0x20 && isVisible($0) } }

    /// Judged by Unicode's categories, not by the code under test.
    private func isVisible(_ scalar: Unicode.Scalar) -> Bool {
        ![.control, .format, .lineSeparator, .paragraphSeparator, .unassigned, .privateUse].contains(scalar.properties.generalCategory)
    }

    @Test func `never reaches rules, sets or the commands of a plan`() throws {
        let (loop, kernel, _) = synced()
        #expect(loop.desired.virtualServers.count >= 3, "the Service is served")
        for (family, rules) in loop.desired.rules {
            let lines = RulesText.restore(rules, missingJumps: rules.jumps)
            #expect(!lines.contains("evil") && !lines.contains("reboot"))
            #expect(lines.utf8.allSatisfy { $0 == 0x0a || (0x20..<0x7f).contains($0) })
            // What iptables-save prints of it is read as the same rules.
            for chain in rules.chains.keys {
                for rule in rules.chains[chain] ?? [] { #expect(RuleText.rule(RuleText.text(rule, family), family) == rule) }
            }
        }
        for set in loop.desired.sets.values { #expect(!"\(set.name) \(set.members.keys)".contains("evil")) }
        for operation in kernel.attempts {
            #expect(!operation.command.contains("evil"), "\(operation.command)")
            #expect(isSafe("\(operation)"), "\(operation)")
        }
    }

    @Test func `is escaped in log lines, in both formats`() throws {
        let notices = synced().notices
        #expect(notices.contains { $0.metadata.values.contains { $0.contains("evil") } })
        #expect(
            notices.contains { $0.message == "Refusing addresses of Service" }
                && notices.contains { $0.message == "Ignoring invalid annotation" })
        for notice in notices {
            #expect(!notice.message.contains("evil"), "messages are constants")
            let line = LogLine(
                level: .error, message: notice.message, metadata: notice.metadata.mapValues { "\($0)" }, file: "x/y.swift", line: 1,
                seconds: 1, nanoseconds: 1)
            #expect(isSafe(line.text), "\(line.text)")
            #expect(isSafe(line.json), "\(line.json)")
            let decoded = try JSONDecoder().decode([String: JSONValue].self, from: Data(line.json.utf8))
            for (name, value) in notice.metadata { #expect(decoded[name == "error" ? "err" : name] == .text(value)) }
        }
    }

    private enum JSONValue: Decodable, Equatable {
        case text(String)
        case number(Double)

        init(from decoder: any Decoder) throws {
            let value = try decoder.singleValueContainer()
            self = if let text = try? value.decode(String.self) { .text(text) } else { .number(try value.decode(Double.self)) }
        }
    }

    @Test func `is escaped in the labels of metrics`() throws {
        let identity = VirtualServer.Identity(.tcp, AddressPort(IPAddress(v4: 0x0a60_000a), 80))
        let desired = [
            identity: VirtualServer(identity, origin: ServiceOrigin(service: Self.service, portName: Self.text, kind: .clusterIP))
        ]
        var traffic = ServiceTraffic(.service, limit: 10)
        _ = traffic.record([(identity, .zero)], of: desired)
        let lines = MetricText.exposition(traffic.families([:], of: desired)).split(separator: "\n", omittingEmptySubsequences: false)
        let series = lines.filter { $0.contains("evil") }
        #expect(!series.isEmpty)
        for line in series {
            let match = try #require(line.wholeMatch(of: /[a-z_]+\{((?:[a-z_]+="(?:[^"\\\n]|\\["\\n])*",?)+)\} [0-9.e+]+/))
            let values = match.1.matches(of: /="((?:[^"\\]|\\.)*)"/).map {
                String($0.1).replacing("\\n", with: "\u{1}").replacing("\\\"", with: "\"").replacing("\\\\", with: "\\").replacing(
                    "\u{1}", with: "\n")
            }
            #expect(values.contains(Self.name) || values.contains(Self.text))
        }
    }

    @Test func `is escaped in the table of the status and in explanations`() throws {
        let (loop, _, _) = synced()
        let report = loop.report(at: Timestamp(nanoseconds: 0))
        let document = StatusDocument([], report)
        let lines = NamedTable(document, columns: .wide).lines.map(\.text)
        #expect(lines.contains { $0.contains("evil") })
        for line in lines { #expect(isSafe(line), "\(line)") }
        let known = try #require(report.virtualServers.first { $0.identity != nil })
        let explanation = Explanation(
            try #require(known.identity), kernel: loop.desired, known: known, proxyAnswered: true, isHeldElsewhere: false
        ) { "\($0) \($1)" }
        for line in explanation.lines { #expect(isSafe(line), "\(line)") }
    }
}
