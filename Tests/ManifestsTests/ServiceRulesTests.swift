import Model
import Testing
import Kubernetes

@testable import Manifests

/// The result of a manifest by field, as by the API server (core/v1 and discovery/v1 defaults and validation).
struct ManifestRule: CustomTestStringConvertible, Sendable {
    enum Outcome: Sendable {
        /// Refused, with the field, the value and a part of the message.
        case refused(String, String?, String)
        /// Served, with a warning for a field that has no effect.
        case warned(String)
        /// Served, with these values.
        case becomes([String: String])
        case accepted
    }

    var text: String
    var outcome: Outcome
    var testDescription: String { text }

    init(_ spec: String, ports: String = ", ports: [{port: 80}]", rest: String = "", meta: String = "", _ outcome: Outcome) {
        text =
            "apiVersion: v1\nkind: Service\nmetadata: {name: web\(meta)}\nspec: {\(spec)\(spec.isEmpty ? ports.dropFirst(2) : ports[...])}\n\(rest)"
        self.outcome = outcome
    }

    init(slice rest: String, meta: String = "", _ outcome: Outcome) {
        text = "apiVersion: discovery.k8s.io/v1\nkind: EndpointSlice\nmetadata: {name: web-1\(meta)}\n\(rest)\n"
        self.outcome = outcome
    }

    init(endpoints rest: String, _ outcome: Outcome) {
        text = "apiVersion: v1\nkind: Endpoints\nmetadata: {name: web}\n\(rest)\n"
        self.outcome = outcome
    }
}

@Suite struct ServiceRulesTests {
    static let types: [ManifestRule] = [
        .init(
            "",
            .becomes(["type": "ClusterIP", "sessionAffinity": "None", "internalTrafficPolicy": "Cluster", "ipFamilyPolicy": "SingleStack"])),
        .init("type: Nonsense", .refused("spec.type", "Nonsense", "one of")),
        .init("type: ExternalName, externalName: a.example", ports: "", .accepted),
        .init("type: ExternalName, externalName: a.example.", ports: "", .accepted),
        .init("type: ExternalName", ports: "", .refused("spec.externalName", nil, "required")),
        .init("type: ExternalName, externalName: a_b", ports: "", .refused("spec.externalName", "a_b", "lower-case")),
        .init(
            "type: ExternalName, externalName: a.b, clusterIP: 10.96.0.9", ports: "",
            .refused("spec.clusterIP", "10.96.0.9", "ExternalName")),
        .init(
            "type: ExternalName, externalName: a.b, ipFamilies: [IPv4]", ports: "", .refused("spec.ipFamilies", "IPv4", "ExternalName")),
        .init(
            "type: ExternalName, externalName: a.b, ipFamilyPolicy: SingleStack", ports: "",
            .refused("spec.ipFamilyPolicy", "SingleStack", "ExternalName")),
        .init(
            "clusterIP: None", ports: "", .becomes(["clusterIP": "None", "ipFamilyPolicy": "RequireDualStack", "ipFamilies": "IPv4 IPv6"])),
        .init("clusterIP: None, selector: {a: b}", ports: "", .becomes(["ipFamilyPolicy": "SingleStack", "ipFamilies": "IPv4"])),
        .init("type: NodePort, clusterIP: None", .refused("spec.clusterIP", "None", "requires type ClusterIP")),
        .init("type: LoadBalancer, clusterIP: None", .refused("spec.clusterIP", "None", "requires type ClusterIP")),
    ]

    static let addresses: [ManifestRule] = [
        .init("clusterIP: 10.96.0.9", .becomes(["clusterIP": "10.96.0.9", "clusterIPs": "10.96.0.9", "ipFamilies": "IPv4"])),
        .init("clusterIP: 172.16.5.5", .refused("spec.clusterIP", "172.16.5.5", "10.96.0.0/12")),
        .init("clusterIP: 10.95.255.255", .refused("spec.clusterIP", "10.95.255.255", "10.96.0.0/12")),
        .init("clusterIP: 10.112.0.1, clusterIPs: [10.112.0.1]", .refused("spec.clusterIPs[0]", "10.112.0.1", "10.96.0.0/12")),
        .init("clusterIP: 10.96.0.0", .refused("spec.clusterIP", "10.96.0.0", "host address")),
        .init("clusterIP: 10.111.255.255", .refused("spec.clusterIP", "10.111.255.255", "host address")),
        .init("clusterIP: 10.96.0.1", .accepted),
        .init("clusterIP: 10.111.255.254", .accepted),
        // No range of this family is configured.
        .init("clusterIP: \"fd00::9\", ipFamilies: [IPv6]", .becomes(["clusterIP": "fd00::9"])),
        .init("clusterIP: 127.0.0.1", .refused("spec.clusterIP", "127.0.0.1", "loopback")),
        .init("clusterIP: none", .refused("spec.clusterIP", "none", "IP address")),
        .init("clusterIPs: [10.96.0.9]", .refused("spec.clusterIP", nil, "required with")),
        .init("clusterIP: 10.96.0.9, clusterIPs: [10.96.0.8]", .refused("spec.clusterIPs[0]", "10.96.0.8", "the same")),
        .init("clusterIP: None, clusterIPs: [None, 10.96.0.9]", .refused("spec.clusterIPs[1]", "10.96.0.9", "combined with None")),
        .init(
            "clusterIP: 10.96.0.9, clusterIPs: [10.96.0.9, \"fd00::9\"]",
            .refused("spec.ipFamilyPolicy", nil, "PreferDualStack or RequireDualStack")),
        .init(
            "clusterIP: 10.96.0.9, clusterIPs: [10.96.0.9, \"fd00::9\"], ipFamilyPolicy: SingleStack",
            .refused("spec.ipFamilyPolicy", "SingleStack", "for two families")),
        .init("clusterIP: 10.96.0.9, clusterIPs: [10.96.0.9, \"fd00::9\"], ipFamilyPolicy: RequireDualStack", .accepted),
        .init("ipFamilies: [IPv4, IPv6]", .refused("spec.ipFamilyPolicy", nil, "for two families")),
        .init("ipFamilyPolicy: \"\"", .refused("spec.ipFamilyPolicy", "", "one of SingleStack")),
        .init("ipFamilyPolicy: RequireDualStack", .refused("spec.ipFamilyPolicy", "RequireDualStack", "cluster IP range")),
        .init("ipFamilyPolicy: PreferDualStack", .becomes(["ipFamilies": "IPv4"])),
        .init("ipFamilies: [IPv4, IPv4]", .refused("spec.ipFamilies", nil, "once")),
        .init("ipFamilies: [IPv6], clusterIP: 10.96.0.9", .refused("spec.ipFamilies[0]", "IPv6", "not the family")),
        .init("externalIPs: [192.0.2.1]", .accepted),
        .init("externalIPs: [192.0.2]", .refused("spec.externalIPs[0]", "192.0.2", "IP address")),
        .init("externalIPs: [192.0.2.1, 0.0.0.0]", .refused("spec.externalIPs[1]", "0.0.0.0", "must not")),
        .init("externalIPs: [127.0.0.1]", .refused("spec.externalIPs[0]", "127.0.0.1", "must not")),
        .init("externalIPs: [169.254.1.1]", .refused("spec.externalIPs[0]", "169.254.1.1", "must not")),
        .init("externalIPs: [224.0.0.5]", .refused("spec.externalIPs[0]", "224.0.0.5", "must not")),
        .init("externalIPs: [\"fe80::1\"]", .refused("spec.externalIPs[0]", "fe80::1", "must not")),
        .init("externalIPs: [\"ff02::1\"]", .refused("spec.externalIPs[0]", "ff02::1", "must not")),
    ]

    static let ports: [ManifestRule] = [
        .init("ports: []", ports: "", .refused("spec.ports", nil, "at least one")),
        .init("ports: [{port: 80}]", ports: "", .becomes(["ports": "80/TCP->80"])),
        .init("ports: [{port: 80, targetPort: 0}]", ports: "", .becomes(["ports": "80/TCP->80"])),
        .init("ports: [{port: 80, targetPort: \"\"}]", ports: "", .becomes(["ports": "80/TCP->80"])),
        .init("ports: [{port: 80, protocol: \"\"}]", ports: "", .becomes(["ports": "80/TCP->80"])),
        .init("ports: [{port: 53, protocol: UDP, targetPort: dns}]", ports: "", .becomes(["ports": "53/UDP->dns"])),
        .init("ports: [{port: 0120}]", ports: "", .becomes(["ports": "80/TCP->80"])),
        .init("ports: [{}]", ports: "", .refused("spec.ports[0].port", "0", "1 to 65535")),
        .init("ports: [{port: 65536}]", ports: "", .refused("spec.ports[0].port", "65536", "1 to 65535")),
        .init("ports: [{port: 80, protocol: tcp}]", ports: "", .refused("spec.ports[0].protocol", "tcp", "one of TCP")),
        .init("ports: [{port: 80}, {port: 81, name: b}]", ports: "", .refused("spec.ports[0].name", nil, "required")),
        .init("ports: [{port: 80, name: a}, {port: 81, name: a}]", ports: "", .refused("spec.ports[1].name", "a", "another port")),
        .init("ports: [{port: 80, name: a}, {port: 80, name: b}]", ports: "", .refused("spec.ports[1].port", "80", "duplicate for TCP")),
        .init("ports: [{port: 80, name: a}, {port: 80, name: b, protocol: UDP}]", ports: "", .accepted),
        .init("ports: [{port: 80, name: A}]", ports: "", .refused("spec.ports[0].name", "A", "lower-case")),
        .init("ports: [{port: 80, targetPort: \"8080\"}]", ports: "", .refused("spec.ports[0].targetPort", "8080", "a name")),
        .init(
            "ports: [{port: 80, targetPort: a-name-of-16-chr}]", ports: "", .refused("spec.ports[0].targetPort", "a-name-of-16-chr", "15")),
        .init("ports: [{port: 80, appProtocol: kubernetes.io/h2c}]", ports: "", .accepted),
        .init("ports: [{port: 80, appProtocol: \"a b\"}]", ports: "", .refused("spec.ports[0].appProtocol", "a b", "protocol")),
        .init("ports: [{port: 80, nodePort: 30080}]", ports: "", .refused("spec.ports[0].nodePort", "30080", "ClusterIP")),
        .init("type: NodePort, ports: [{port: 80, nodePort: 30080}]", ports: "", .becomes(["nodePorts": "30080"])),
        .init(
            "type: NodePort, ports: [{port: 80, nodePort: 8080}]", ports: "", .refused("spec.ports[0].nodePort", "8080", "30000 to 32767")),
    ]

    static let policies: [ManifestRule] = [
        .init("sessionAffinity: ClientIP", .becomes(["sessionAffinity": "ClientIP", "timeoutSeconds": "10800"])),
        .init("sessionAffinity: ClientIP, sessionAffinityConfig: {clientIP: {}}", .becomes(["timeoutSeconds": "10800"])),
        .init(
            "sessionAffinity: ClientIP, sessionAffinityConfig: {clientIP: {timeoutSeconds: 86400}}", .becomes(["timeoutSeconds": "86400"])),
        .init(
            "sessionAffinity: ClientIP, sessionAffinityConfig: {clientIP: {timeoutSeconds: 86401}}",
            .refused("spec.sessionAffinityConfig.clientIP.timeoutSeconds", "86401", "86400")),
        .init(
            "sessionAffinity: ClientIP, sessionAffinityConfig: {clientIP: {timeoutSeconds: 0}}",
            .refused("spec.sessionAffinityConfig.clientIP.timeoutSeconds", "0", "86400")),
        // The API server's defaulting drops it before validation could refuse it (SetDefaults_Service).
        .init("sessionAffinityConfig: {clientIP: {timeoutSeconds: 10}}", .warned("spec.sessionAffinityConfig")),
        .init("sessionAffinity: None, sessionAffinityConfig: {clientIP: {timeoutSeconds: 0}}", .warned("spec.sessionAffinityConfig")),
        .init("sessionAffinity: Sticky", .refused("spec.sessionAffinity", "Sticky", "None, ClientIP")),
        .init("externalTrafficPolicy: Local", .refused("spec.externalTrafficPolicy", "Local", "external IPs")),
        .init("externalTrafficPolicy: Cluster", .refused("spec.externalTrafficPolicy", "Cluster", "external IPs")),
        .init("externalTrafficPolicy: \"\"", .accepted),
        .init("externalIPs: [192.0.2.1], externalTrafficPolicy: Local", .accepted),
        .init("type: NodePort, externalTrafficPolicy: Local", .accepted),
        .init("type: NodePort", .becomes(["externalTrafficPolicy": "Cluster"])),
        .init("internalTrafficPolicy: Local", .accepted),
        .init("internalTrafficPolicy: \"\"", .refused("spec.internalTrafficPolicy", "", "Cluster, Local")),
        .init("internalTrafficPolicy: local", .refused("spec.internalTrafficPolicy", "local", "Cluster, Local")),
        .init("trafficDistribution: PreferClose", .becomes(["trafficDistribution": "PreferClose"])),
        .init("trafficDistribution: PreferSameZone", .becomes(["trafficDistribution": "PreferSameZone"])),
        .init("trafficDistribution: PreferSameNode", .becomes(["trafficDistribution": "PreferSameNode"])),
        .init("trafficDistribution: Close", .refused("spec.trafficDistribution", "Close", "PreferSameNode")),
        .init("trafficDistribution: \"\"", .refused("spec.trafficDistribution", "", "PreferSameNode")),
        .init("selector: {app: web}", .accepted),
        .init("selector: {app: \"\"}", .accepted),
        .init("selector: {app: }", .accepted),
        .init("selector: {app: a b}", .refused("spec.selector.app", "a b", "63 letters")),
        .init("selector: {a b: c}", .refused("spec.selector", "a b", "label key")),
        .init("selector: {A.example/b/c: c}", .refused("spec.selector", "A.example/b/c", "label key")),
        .init("", meta: ", labels: {a: -b}", .refused("metadata.labels.a", "-b", "63 letters")),
        .init("", meta: ", annotations: {a b: c}", .refused("metadata.annotations", "a b", "annotation key")),
        .init("", meta: ", creationTimestamp: 2026-01-01T02:00:00.5+02:00, deletionTimestamp: null", .accepted),
        .init("", meta: ", creationTimestamp: yesterday", .refused("metadata.creationTimestamp", "yesterday", "2026-01-01T00:00:00Z")),
    ]

    static let loadBalancers: [ManifestRule] = [
        .init("type: LoadBalancer", .becomes(["allocateLoadBalancerNodePorts": "true", "externalTrafficPolicy": "Cluster"])),
        .init("type: LoadBalancer, allocateLoadBalancerNodePorts: false", .becomes(["nodePorts": "0"])),
        .init("allocateLoadBalancerNodePorts: true", .refused("spec.allocateLoadBalancerNodePorts", "true", "LoadBalancer")),
        .init(
            "type: NodePort, allocateLoadBalancerNodePorts: false", .refused("spec.allocateLoadBalancerNodePorts", "false", "LoadBalancer")),
        .init("type: LoadBalancer, loadBalancerClass: a.example/lb", .accepted),
        .init("type: LoadBalancer, loadBalancerClass: \"\"", .refused("spec.loadBalancerClass", "", "class")),
        .init("type: NodePort, loadBalancerClass: lb", .refused("spec.loadBalancerClass", "lb", "LoadBalancer")),
        .init("type: LoadBalancer, loadBalancerSourceRanges: [10.0.0.0/8, \" 192.0.2.0/24 \"]", .accepted),
        .init(
            "type: LoadBalancer, loadBalancerSourceRanges: [10.0.0.0]", .refused("spec.loadBalancerSourceRanges[0]", "10.0.0.0", "CIDR")),
        .init(
            "type: NodePort, loadBalancerSourceRanges: [10.0.0.0/8]",
            .refused("spec.loadBalancerSourceRanges", "10.0.0.0/8", "LoadBalancer")),
        .init("loadBalancerSourceRanges: []", .accepted),
        .init(
            "", meta: ", annotations: {service.beta.kubernetes.io/load-balancer-source-ranges: 10.0.0.0/8}",
            .refused("metadata.annotations.service.beta.kubernetes.io/load-balancer-source-ranges", "10.0.0.0/8", "LoadBalancer")),
        .init(
            "type: LoadBalancer", meta: ", annotations: {service.beta.kubernetes.io/load-balancer-source-ranges: \"10.0.0.0/8, b\"}",
            .refused("metadata.annotations.service.beta.kubernetes.io/load-balancer-source-ranges", " b", "CIDR")),
        .init("type: LoadBalancer, externalTrafficPolicy: Local, healthCheckNodePort: 31000", .becomes(["healthCheckNodePort": "31000"])),
        .init("type: LoadBalancer, healthCheckNodePort: 31000", .refused("spec.healthCheckNodePort", "31000", "Local")),
        .init(
            "type: NodePort, externalTrafficPolicy: Local, healthCheckNodePort: 31000",
            .refused("spec.healthCheckNodePort", "31000", "LoadBalancer")),
        .init("healthCheckNodePort: 31000", .refused("spec.healthCheckNodePort", "31000", "LoadBalancer")),
        .init("healthCheckNodePort: 0", .accepted),
        .init(
            "type: LoadBalancer, externalTrafficPolicy: Local, healthCheckNodePort: 8080",
            .refused("spec.healthCheckNodePort", "8080", "30000 to 32767")),
        .init("type: LoadBalancer", rest: "status: {loadBalancer: {ingress: [{ip: 192.0.2.1}]}}", .becomes(["ingress": "192.0.2.1 VIP"])),
        .init(
            "type: LoadBalancer", rest: "status: {loadBalancer: {ingress: [{ip: 192.0.2.1, ipMode: Proxy}, {hostname: a.b}]}}",
            .becomes(["ingress": "192.0.2.1 Proxy,  -"])),
        .init(
            "type: LoadBalancer", rest: "status: {loadBalancer: {ingress: [{ip: a}]}}",
            .refused("status.loadBalancer.ingress[0].ip", "a", "IP address")),
        .init(
            "type: LoadBalancer", rest: "status: {loadBalancer: {ingress: [{ip: 192.0.2.1, ipMode: vip}]}}",
            .refused("status.loadBalancer.ingress[0].ipMode", "vip", "VIP, Proxy")),
        .init(
            "type: LoadBalancer", rest: "status: {loadBalancer: {ingress: [{hostname: a.b, ipMode: VIP}]}}",
            .refused("status.loadBalancer.ingress[0].ipMode", "VIP", "requires ip")),
        .init(
            "type: LoadBalancer", rest: "status: {loadBalancer: {ingress: [{hostname: 192.0.2.1}]}}",
            .refused("status.loadBalancer.ingress[0].hostname", "192.0.2.1", "name")),
        .init("", rest: "status: {loadBalancer: {ingress: [{ip: 192.0.2.1}]}}", .warned("status.loadBalancer.ingress")),
        .init("", rest: "status: {loadBalancer: {}}", .becomes(["ingress": ""])),
    ]

    static let slices: [ManifestRule] = [
        .init(slice: "endpoints: []", .refused("addressType", nil, "required")),
        .init(slice: "addressType: IP", .refused("addressType", "IP", "IPv4, IPv6, FQDN")),
        .init(slice: "addressType: IPv4\nports: [{port: 80}]", .becomes(["ports": "'' 80/TCP"])),
        .init(slice: "addressType: IPv4\nports: [{name: null, protocol: null}]", .becomes(["ports": "'' -/TCP"])),
        .init(slice: "addressType: IPv4\nports: [{name: a, port: 80, protocol: SCTP}]", .becomes(["ports": "'a' 80/SCTP"])),
        .init(slice: "addressType: IPv4\nports: [{protocol: \"\"}]", .refused("ports[0].protocol", "", "TCP, UDP, SCTP")),
        .init(slice: "addressType: IPv4\nports: [{protocol: tcp}]", .refused("ports[0].protocol", "tcp", "TCP, UDP, SCTP")),
        .init(slice: "addressType: IPv4\nports: [{port: 1}, {port: 2}]", .refused("ports[1].name", "", "another port")),
        .init(slice: "addressType: IPv4\nports: [{name: A}]", .refused("ports[0].name", "A", "lower-case")),
        .init(slice: "addressType: IPv4\nports: [{appProtocol: \"a b\"}]", .refused("ports[0].appProtocol", "a b", "protocol")),
        .init(slice: "addressType: IPv4\nports: [{port: 65536}]", .refused("ports[0].port", "65536", "1 to 65535")),
        .init(slice: "addressType: IPv4\nendpoints: [{addresses: []}]", .refused("endpoints[0].addresses", nil, "at least one")),
        .init(slice: "addressType: IPv4\nendpoints: [{addresses: [a]}]", .refused("endpoints[0].addresses[0]", "a", "IPv4")),
        .init(slice: "addressType: IPv6\nendpoints: [{addresses: [10.0.0.1]}]", .refused("endpoints[0].addresses[0]", "10.0.0.1", "IPv6")),
        .init(
            slice: "addressType: IPv4\nendpoints: [{addresses: [169.254.1.1]}]",
            .refused("endpoints[0].addresses[0]", "169.254.1.1", "link-local")),
        .init(slice: "addressType: FQDN\nendpoints: [{addresses: [a.example]}]", .accepted),
        .init(slice: "addressType: FQDN\nendpoints: [{addresses: [a]}]", .refused("endpoints[0].addresses[0]", "a", "domain")),
        .init(
            slice: "addressType: IPv4\nendpoints: [{addresses: [10.0.0.1], hostname: A}]", .refused("endpoints[0].hostname", "A", "lower")),
        .init(
            slice: "addressType: IPv4\nendpoints: [{addresses: [10.0.0.1], nodeName: a_b}]",
            .refused("endpoints[0].nodeName", "a_b", "lower-case")),
        .init(slice: "addressType: IPv4\nendpoints: [{addresses: [10.0.0.1]}]", .becomes(["endpoints": "10.0.0.1 ready"])),
        .init(
            slice: "addressType: IPv4\nendpoints: [{addresses: [10.0.0.1], conditions: {ready: false}}]",
            .becomes(["endpoints": "10.0.0.1 not ready"])),
        .init(
            slice: "addressType: IPv4\nendpoints: [{addresses: [10.0.0.1], hints: {forZones: [{name: a}, {name: a}]}}]",
            .refused("endpoints[0].hints.forZones[1].name", "a", "duplicate")),
        .init(
            slice: "addressType: IPv4\nendpoints: [{addresses: [10.0.0.1], hints: {forZones: [{name: a b}]}}]",
            .refused("endpoints[0].hints.forZones[0].name", "a b", "63 letters")),
        .init(
            slice: "addressType: IPv4\nendpoints: [{addresses: [10.0.0.1], hints: {forNodes: [{name: A}]}}]",
            .refused("endpoints[0].hints.forNodes[0].name", "A", "lower-case")),
        .init(
            slice: "addressType: IPv4\nendpoints: [{addresses: [10.0.0.1], hints: {forZones: [\(list(9, { "{name: z\($0)}" }))]}}]",
            .refused("endpoints[0].hints.forZones", "9", "at most 8")),
        .init(
            slice: "addressType: IPv4\nendpoints: [{addresses: [10.0.0.1], deprecatedTopology: {\(list(17, { "k\($0): v" }))}}]",
            .refused("endpoints[0].deprecatedTopology", "17", "at most 16")),
        .init(
            slice: "addressType: IPv4\nendpoints: [{addresses: [\(list(101, { "10.0.0.\($0)" }))]}]",
            .refused("endpoints[0].addresses", "101", "at most 100")),
        .init(
            slice: "addressType: IPv4\nendpoints: [\(list(1001, { "{addresses: [10.0.\($0 / 250).\($0 % 250)]}" }))]",
            .refused("endpoints", "1001", "at most 1000")),
        .init(slice: "addressType: IPv4", meta: ", labels: {a: b c}", .refused("metadata.labels.a", "b c", "63 letters")),
    ]

    static let endpoints: [ManifestRule] = [
        .init(endpoints: "subsets: []", .accepted),
        .init(endpoints: "subsets: [{addresses: [{ip: 192.0.2.1}], ports: [{port: 80}]}]", .accepted),
        .init(endpoints: "subsets: [{ports: [{port: 80}]}]", .refused("subsets[0]", nil, "notReadyAddresses")),
        .init(endpoints: "subsets: [{addresses: [{ip: a}]}]", .refused("subsets[0].addresses[0].ip", "a", "IP address")),
        .init(endpoints: "subsets: [{addresses: [{}]}]", .refused("subsets[0].addresses[0].ip", "", "IP address")),
        .init(
            endpoints: "subsets: [{notReadyAddresses: [{ip: 127.0.0.1}]}]",
            .refused("subsets[0].notReadyAddresses[0].ip", "127.0.0.1", "loopback")),
        .init(
            endpoints: "subsets: [{addresses: [{ip: 192.0.2.1, hostname: A}]}]", .refused("subsets[0].addresses[0].hostname", "A", "lower")),
        .init(
            endpoints: "subsets: [{addresses: [{ip: 192.0.2.1, nodeName: a_b}]}]",
            .refused("subsets[0].addresses[0].nodeName", "a_b", "lower-case")),
        .init(endpoints: "subsets: [{addresses: [{ip: 192.0.2.1}], ports: [{}]}]", .refused("subsets[0].ports[0].port", nil, "1 to 65535")),
        .init(
            endpoints: "subsets: [{addresses: [{ip: 192.0.2.1}], ports: [{port: 1}, {port: 2, name: b}]}]",
            .refused("subsets[0].ports[0].name", nil, "required")),
        .init(
            endpoints: "subsets: [{addresses: [{ip: 192.0.2.1}], ports: [{port: 1, protocol: X}]}]",
            .refused("subsets[0].ports[0].protocol", "X", "one of TCP")),
    ]

    private static func list(_ count: Int, _ element: (Int) -> String) -> String { (0..<count).map(element).joined(separator: ", ") }

    @Test(arguments: types + addresses + ports + policies + loadBalancers + slices + endpoints)
    func `A manifest is refused, defaulted or accepted as by the API server`(rule: ManifestRule) throws {
        let result = reading(rule.text)
        var controlPlane = ManifestControlPlane()
        let outcome = controlPlane.apply(Dictionary(uniqueKeysWithValues: result.objects.map { ($0.key, .some($0)) }))
        let problems = result.problems.map { FieldProblem($0.field ?? "", $0.value, $0.message) } + outcome.problems.map(\.field)
        switch rule.outcome {
        case .refused(let field, let value, let messagePart):
            let problem = try #require(problems.first)
            #expect(problems.count == 1, "\(problems)")
            #expect(problem.field == field && problem.value == value && problem.message.contains(messagePart), "\(problem)")
            #expect(!outcome.changes.contains { if case .service(_, .some) = $0 { true } else { false } })
        case .warned(let field):
            #expect(problems == [] && result.warnings.map(\.field) == [field])
            #expect(!outcome.changes.isEmpty)
        case .accepted:
            #expect(problems == [] && result.warnings == [])
        case .becomes(let expected):
            #expect(problems == [] && result.warnings == [])
            let values = try #require(outcome.changes.compactMap(Self.values).first)
            for (field, value) in expected { #expect(values[field] == value, "\(field)") }
        }
    }

    /// Returns the resulting values of an object by field.
    private static func values(_ change: ClusterChange) -> [String: String]? {
        switch change {
        case .service(_, let service?):
            [
                "type": service.type.rawValue, "clusterIP": service.clusterIP, "clusterIPs": service.clusterIPs.joined(separator: " "),
                "ipFamilies": service.ipFamilies.map(\.rawValue).joined(separator: " "), "ipFamilyPolicy": service.ipFamilyPolicy ?? "-",
                "sessionAffinity": service.sessionAffinity.rawValue,
                "timeoutSeconds": service.sessionAffinityTimeoutSeconds.map { "\($0)" } ?? "-",
                "externalTrafficPolicy": service.externalTrafficPolicy.rawValue,
                "internalTrafficPolicy": service.internalTrafficPolicy.rawValue,
                "trafficDistribution": service.trafficDistribution?.rawValue ?? "-",
                "allocateLoadBalancerNodePorts": "\(service.allocateLoadBalancerNodePorts)",
                "healthCheckNodePort": "\(service.healthCheckNodePort)",
                "ports": service.ports.map { "\($0.port)/\($0.transport.rawValue)->\($0.targetPort?.description ?? "-")" }
                    .joined(separator: " "), "nodePorts": service.ports.map { "\($0.nodePort)" }.joined(separator: " "),
                "ingress": service.loadBalancerIngress.map { "\($0.ip) \($0.ipMode ?? "-")" }.joined(separator: ", "),
            ]
        case .endpointSlice(_, let slice?):
            [
                "ports": slice.ports.map {
                    "\($0.name.map { "'\($0)'" } ?? "-") \($0.port.map { "\($0)" } ?? "-")/\($0.transport.rawValue)"
                }
                .joined(separator: " "),
                "endpoints": slice.endpoints.map {
                    "\($0.addresses.map(\.description).joined(separator: " ")) \($0.isReady ? "ready" : "not ready")"
                }
                .joined(separator: ", "),
            ]
        default: nil
        }
    }
}
