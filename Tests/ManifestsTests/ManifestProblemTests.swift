import Testing
import Kubernetes

@testable import Manifests

/// Each mistake with its field, its value and a part of the message.
@Suite struct ManifestProblemTests {
    struct Mistake: CustomTestStringConvertible, Sendable {
        var text: String
        var field: String?
        var value: String?
        var messagePart: String
        var testDescription: String { "\(field ?? "-") \(value ?? "-")" }

        init(service spec: String, _ field: String?, _ value: String?, _ messagePart: String) {
            text = "apiVersion: v1\nkind: Service\nmetadata: {name: web}\nspec: \(spec)\n"
            (self.field, self.value, self.messagePart) = (field, value, messagePart)
        }

        init(slice rest: String, _ field: String?, _ value: String?, _ messagePart: String) {
            text = "apiVersion: discovery.k8s.io/v1\nkind: EndpointSlice\nmetadata: {name: web-1}\n\(rest)\n"
            (self.field, self.value, self.messagePart) = (field, value, messagePart)
        }

        init(_ text: String, _ field: String?, _ value: String?, _ messagePart: String) {
            (self.text, self.field, self.value, self.messagePart) = (text, field, value, messagePart)
        }
    }

    static let mistakes: [Mistake] = [
        Mistake(service: "{ports: [{port: 70000}]}", "spec.ports[0].port", "70000", "1 to 65535"),
        Mistake(service: "{ports: [{port: -1}]}", "spec.ports[0].port", "-1", "1 to 65535"),
        Mistake(service: "{ports: [{port: 0}]}", "spec.ports[0].port", "0", "1 to 65535"),
        Mistake(service: "{ports: [{port: 80, protocol: ICMP}]}", "spec.ports[0].protocol", "ICMP", "one of TCP, UDP, SCTP"),
        Mistake(service: "{ports: [{port: 80, targetPort: 65536}]}", "spec.ports[0].targetPort", "65536", "1 to 65535"),
        Mistake(service: "{ports: [{port: 80, targetPort: a_b}]}", "spec.ports[0].targetPort", "a_b", "a name"),
        Mistake(service: "{ports: [{port: 80, targetPort: []}]}", "spec.ports[0].targetPort", nil, "text"),
        Mistake(service: "{ports: [{port: 80, nodePort: 30000}]}", "spec.ports[0].nodePort", "30000", "ClusterIP"),
        Mistake(service: "{type: NodePort, ports: [{port: 80, nodePort: 99999}]}", "spec.ports[0].nodePort", "99999", "1 to 65535"),
        Mistake(service: "{ports: 80}", "spec.ports", "80", "a list"),
        Mistake(service: "{ports: []}", "spec.ports", nil, "at least one"),
        Mistake(service: "{ports: [{port: 80}, {port: 81, name: b}]}", "spec.ports[0].name", nil, "required"),
        Mistake(service: "{ports: [{port: 80, name: a}, {port: 81, name: a}]}", "spec.ports[1].name", "a", "another port"),
        Mistake(service: "{ports: [{port: 80, name: a}, {port: 80, name: b}]}", "spec.ports[1].port", "80", "duplicate for TCP"),
        Mistake(service: "{ports: [{port: 80, name: A_}]}", "spec.ports[0].name", "A_", "lower-case"),
        Mistake(service: "{type: Nonsense, ports: [{port: 80}]}", "spec.type", "Nonsense", "one of ClusterIP"),
        Mistake(service: "{type: [], ports: [{port: 80}]}", "spec.type", nil, "text"),
        Mistake(service: "{sessionAffinity: Sticky, ports: [{port: 80}]}", "spec.sessionAffinity", "Sticky", "None, ClientIP"),
        Mistake(
            service: "{sessionAffinity: ClientIP, sessionAffinityConfig: {clientIP: {timeoutSeconds: 0}}, ports: [{port: 80}]}",
            "spec.sessionAffinityConfig.clientIP.timeoutSeconds", "0", "86400"),
        Mistake(
            service: "{sessionAffinity: ClientIP, sessionAffinityConfig: {clientIP: {timeoutSeconds: -5}}, ports: [{port: 80}]}",
            "spec.sessionAffinityConfig.clientIP.timeoutSeconds", "-5", "86400"),
        Mistake(service: "{externalTrafficPolicy: local, ports: [{port: 80}]}", "spec.externalTrafficPolicy", "local", "Cluster, Local"),
        Mistake(service: "{clusterIP: 10.96.0, ports: [{port: 80}]}", "spec.clusterIP", "10.96.0", "IP address"),
        Mistake(
            service: "{clusterIP: 10.96.0.1, clusterIPs: [10.96.0.2], ports: [{port: 80}]}", "spec.clusterIPs[0]", "10.96.0.2", "the same"),
        Mistake(
            service: "{clusterIP: 10.96.0.1, clusterIPs: [10.96.0.1, 10.96.0.2], ports: [{port: 80}]}", "spec.clusterIPs", nil,
            "each family"),
        Mistake(service: "{type: NodePort, clusterIP: None, ports: [{port: 80}]}", "spec.clusterIP", "None", "requires type ClusterIP"),
        Mistake(service: "{ipFamilies: [IPv5], ports: [{port: 80}]}", "spec.ipFamilies[0]", "IPv5", "IPv4, IPv6"),
        Mistake(service: "{ipFamilies: [IPv4, IPv4], ports: [{port: 80}]}", "spec.ipFamilies", nil, "once"),
        Mistake(service: "{ipFamilyPolicy: Dual, ports: [{port: 80}]}", "spec.ipFamilyPolicy", "Dual", "SingleStack"),
        Mistake(service: "{ipFamilies: [IPv6], clusterIP: 10.96.0.1, ports: [{port: 80}]}", "spec.ipFamilies[0]", "IPv6", "10.96.0.1"),
        Mistake(service: "{externalIPs: [a], ports: [{port: 80}]}", "spec.externalIPs[0]", "a", "IP address"),
        Mistake(
            service: "{type: LoadBalancer, loadBalancerSourceRanges: [1.2.3.4], ports: [{port: 80}]}", "spec.loadBalancerSourceRanges[0]",
            "1.2.3.4", "CIDR"),
        Mistake(service: "{selector: {a: [b]}, ports: [{port: 80}]}", "spec.selector.a", nil, "text"),
        Mistake(
            service: "{publishNotReadyAddresses: maybe, ports: [{port: 80}]}", "spec.publishNotReadyAddresses", "maybe", "true or false"),
        Mistake(slice: "endpoints: []", "addressType", nil, "required"),
        Mistake(slice: "addressType: IPv4\nendpoints: [{addresses: [10.0.0.1, x]}]", "endpoints[0].addresses[1]", "x", "IPv4"),
        Mistake(slice: "addressType: IP", "addressType", "IP", "IPv4, IPv6, FQDN"),
        Mistake(slice: "addressType: IPv4\nendpoints: [{addresses: [fd00::1]}]", "endpoints[0].addresses[0]", "fd00::1", "IPv4"),
        Mistake(slice: "addressType: IPv4\nendpoints: [{addresses: [127.0.0.1]}]", "endpoints[0].addresses[0]", "127.0.0.1", "loopback"),
        Mistake(slice: "addressType: IPv4\nendpoints: [{addresses: []}]", "endpoints[0].addresses", nil, "at least one"),
        Mistake(slice: "addressType: IPv4\nports: [{port: 1}, {port: 2}]", "ports[1].name", "", "another port"),
        Mistake(slice: "addressType: IPv4\nports: [{port: 0}]", "ports[0].port", "0", "1 to 65535"),
        Mistake(
            "apiVersion: discovery.k8s.io/v1beta1\nkind: EndpointSlice\nmetadata: {name: a}\n", "apiVersion", "discovery.k8s.io/v1beta1",
            "use discovery.k8s.io/v1"),
        Mistake("apiVersion: v1\nkind: Service\nspec: {ports: [{port: 80}]}\n", "metadata.name", nil, "required"),
        Mistake("apiVersion: v1\nkind: Service\nmetadata: {name: A}\nspec: {ports: [{port: 80}]}\n", "metadata.name", "A", "lower-case"),
        Mistake("apiVersion: v1\nkind: Pod\nmetadata: {name: a, namespace: b.c}\n", "metadata.namespace", "b.c", "lower-case"),
        Mistake("apiVersion: v1\nkind: Pod\nmetadata: {name: a}\nstatus: {podIPs: [{ip: x}]}\n", "status.podIPs[0]", "x", "IP address"),
        Mistake("apiVersion: v1\nkind: Node\nmetadata: {name: a}\nspec: {podCIDRs: [x]}\n", "spec.podCIDRs[0]", "x", "CIDR"),
        Mistake("apiVersion: v1\nkind: Node\nmetadata: [a]\n", "metadata", nil, "mapping"),
        Mistake("kind: Node\nmetadata: {name: a}\n", "apiVersion", nil, "required"),
        Mistake("apiVersion: v1\n", "kind", nil, "required"),
        Mistake("- a\n", nil, nil, "mapping"),
    ]

    @Test(arguments: mistakes)
    func `A mistake is reported with file, document, object, field and value`(mistake: Mistake) throws {
        let result = reading("apiVersion: v1\nkind: Node\nmetadata: {name: good}\n---\n\(mistake.text)")
        #expect(result.objects.map(\.metadata.name) == ["good"])
        let problem = try #require(result.problems.first)
        #expect(result.problems.count == 1)
        #expect(problem.file == "web.yaml")
        #expect(problem.document == 2)
        #expect(problem.line == 4)
        #expect(problem.field == mistake.field)
        #expect(problem.value == mistake.value)
        #expect(problem.message.contains(mistake.messagePart), "\(problem.message)")
    }

    @Test func `The description of a problem contains all its parts`() {
        let result = reading("apiVersion: v1\nkind: Service\nmetadata: {name: web, namespace: shop}\nspec: {ports: [{port: 70000}]}\n")
        #expect(
            result.problems.map(\.description) == [
                "web.yaml document 1 (line 1), Service shop/web, spec.ports[0].port \"70000\": must be a port, 1 to 65535"
            ])
    }
}
