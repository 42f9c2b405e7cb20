import Testing
import Kubernetes

@testable import Manifests

/// Unquoted words with their YAML 1.1 types, as kubectl sends them to the API server.
@Suite struct YAMLTypesTests {
    private static let service = "apiVersion: v1\nkind: Service\nmetadata: {name: web}\nspec: "
    private static let slice = "apiVersion: discovery.k8s.io/v1\nkind: EndpointSlice\nmetadata: {name: web}\naddressType: IPv4\n"
    private static let pod = "apiVersion: v1\nkind: Pod\nmetadata: {name: web}\n"
    private static let node = "apiVersion: v1\nkind: Node\nmetadata: {name: web}\n"
    private static let endpoints = "apiVersion: v1\nkind: Endpoints\nmetadata: {name: web}\n"
    private static let address = "endpoints: [{addresses: [10.0.0.1], "

    /// Each text field, and a manifest with `@` as its value.
    static let texts: [(String, String)] = [
        ("apiVersion", "apiVersion: @\nkind: Service\nmetadata: {name: web}\n"),
        ("kind", "apiVersion: v1\nkind: @\nmetadata: {name: web}\n"),
        ("metadata.name", "apiVersion: v1\nkind: Service\nmetadata: {name: @}\nspec: {ports: [{port: 80}]}\n"),
        ("metadata.namespace", "apiVersion: v1\nkind: Service\nmetadata: {name: web, namespace: @}\nspec: {ports: [{port: 80}]}\n"),
        ("metadata.labels.a", "apiVersion: v1\nkind: Service\nmetadata: {name: web, labels: {a: @}}\nspec: {ports: [{port: 80}]}\n"),
        (
            "metadata.annotations.a",
            "apiVersion: v1\nkind: Service\nmetadata: {name: web, annotations: {a: @}}\nspec: {ports: [{port: 80}]}\n"
        ),
        ("metadata.creationTimestamp", "apiVersion: v1\nkind: Node\nmetadata: {name: web, creationTimestamp: @}\n"),
        ("spec.type", service + "{type: @, ports: [{port: 80}]}"),
        ("spec.clusterIP", service + "{clusterIP: @, ports: [{port: 80}]}"),
        ("spec.clusterIPs[0]", service + "{clusterIPs: [@], ports: [{port: 80}]}"),
        ("spec.ipFamilies[0]", service + "{ipFamilies: [@], ports: [{port: 80}]}"),
        ("spec.ipFamilyPolicy", service + "{ipFamilyPolicy: @, ports: [{port: 80}]}"),
        ("spec.ports[0].name", service + "{ports: [{port: 80, name: @}]}"),
        ("spec.ports[0].protocol", service + "{ports: [{port: 80, protocol: @}]}"),
        ("spec.ports[0].appProtocol", service + "{ports: [{port: 80, appProtocol: @}]}"),
        ("spec.selector.app", service + "{selector: {app: @}, ports: [{port: 80}]}"),
        ("spec.sessionAffinity", service + "{sessionAffinity: @, ports: [{port: 80}]}"),
        ("spec.externalIPs[0]", service + "{externalIPs: [@], ports: [{port: 80}]}"),
        ("spec.externalName", service + "{type: ExternalName, externalName: @}"),
        ("spec.loadBalancerSourceRanges[0]", service + "{loadBalancerSourceRanges: [@], ports: [{port: 80}]}"),
        ("spec.loadBalancerClass", service + "{loadBalancerClass: @, ports: [{port: 80}]}"),
        ("spec.externalTrafficPolicy", service + "{externalTrafficPolicy: @, ports: [{port: 80}]}"),
        ("spec.internalTrafficPolicy", service + "{internalTrafficPolicy: @, ports: [{port: 80}]}"),
        ("spec.trafficDistribution", service + "{trafficDistribution: @, ports: [{port: 80}]}"),
        ("status.loadBalancer.ingress[0].ip", service + "{ports: [{port: 80}]}\nstatus: {loadBalancer: {ingress: [{ip: @}]}}"),
        ("status.loadBalancer.ingress[0].ipMode", service + "{ports: [{port: 80}]}\nstatus: {loadBalancer: {ingress: [{ipMode: @}]}}"),
        ("status.loadBalancer.ingress[0].hostname", service + "{ports: [{port: 80}]}\nstatus: {loadBalancer: {ingress: [{hostname: @}]}}"),
        ("addressType", "apiVersion: discovery.k8s.io/v1\nkind: EndpointSlice\nmetadata: {name: web}\naddressType: @\n"),
        ("ports[0].name", slice + "ports: [{name: @}]"), ("ports[0].protocol", slice + "ports: [{protocol: @}]"),
        ("ports[0].appProtocol", slice + "ports: [{appProtocol: @}]"),
        ("endpoints[0].addresses[0]", slice + "endpoints: [{addresses: [@]}]"),
        ("endpoints[0].nodeName", slice + address + "nodeName: @}]"), ("endpoints[0].hostname", slice + address + "hostname: @}]"),
        ("endpoints[0].targetRef.name", slice + address + "targetRef: {kind: Pod, name: @}}]"),
        ("endpoints[0].targetRef.kind", slice + address + "targetRef: {kind: @}}]"),
        ("endpoints[0].hints.forZones[0].name", slice + address + "hints: {forZones: [{name: @}]}}]"),
        ("endpoints[0].hints.forNodes[0].name", slice + address + "hints: {forNodes: [{name: @}]}}]"),
        ("endpoints[0].deprecatedTopology.a", slice + address + "deprecatedTopology: {a: @}}]"),
        ("spec.nodeName", pod + "spec: {nodeName: @}"),
        ("spec.containers[0].ports[0].name", pod + "spec: {containers: [{ports: [{name: @, containerPort: 80}]}]}"),
        ("spec.containers[0].ports[0].protocol", pod + "spec: {containers: [{ports: [{protocol: @, containerPort: 80}]}]}"),
        ("spec.initContainers[0].restartPolicy", pod + "spec: {initContainers: [{restartPolicy: @}]}"),
        ("status.phase", pod + "status: {phase: @}"), ("status.podIP", pod + "status: {podIP: @}"),
        ("status.podIPs[0].ip", pod + "status: {podIPs: [{ip: @}]}"),
        ("status.conditions[0].status", pod + "status: {conditions: [{type: Ready, status: @}]}"),
        ("status.conditions[0].type", pod + "status: {conditions: [{type: @, status: \"True\"}]}"),
        ("spec.podCIDR", node + "spec: {podCIDR: @}"), ("spec.podCIDRs[0]", node + "spec: {podCIDRs: [@]}"),
        ("spec.taints[0].key", node + "spec: {taints: [{key: @, effect: NoSchedule}]}"),
        ("spec.taints[0].effect", node + "spec: {taints: [{key: a, effect: @}]}"),
        ("status.addresses[0].type", node + "status: {addresses: [{type: @, address: 10.0.0.1}]}"),
        ("status.addresses[0].address", node + "status: {addresses: [{type: InternalIP, address: @}]}"),
        ("subsets[0].addresses[0].ip", endpoints + "subsets: [{addresses: [{ip: @}]}]"),
        ("subsets[0].addresses[0].hostname", endpoints + "subsets: [{addresses: [{ip: 10.0.0.1, hostname: @}]}]"),
        ("subsets[0].addresses[0].nodeName", endpoints + "subsets: [{addresses: [{ip: 10.0.0.1, nodeName: @}]}]"),
        ("subsets[0].ports[0].name", endpoints + "subsets: [{addresses: [{ip: 10.0.0.1}], ports: [{name: @, port: 80}]}]"),
    ]

    @Test(arguments: texts)
    func `A boolean or number in a text field is refused with the word in the file`(field: String, template: String) throws {
        for word in ["on", "No", "y", "TRUE", "1", "-5", "1.5", "1e3", "0x1F", "1_000", ".inf"] {
            let result = reading("apiVersion: v1\nkind: Node\nmetadata: {name: good}\n---\n" + template.replacing("@", with: word))
            #expect(result.objects.map(\.metadata.name) == ["good"], "\(word)")
            let problem = try #require(result.problems.first, "\(word)")
            #expect(problem.field == field && problem.value == word && problem.document == 2, "\(problem)")
            #expect(problem.message.contains("must be text"), "\(problem)")
        }
    }

    @Test(arguments: texts)
    func `Quoted words are text`(field: String, template: String) {
        for word in ["\"on\"", "'1'", "!!str on", "\"null\""] {
            let problems = reading(template.replacing("@", with: word)).problems
            #expect(!problems.contains { $0.message.contains("must be text") }, "\(problems)")
        }
    }

    @Test(arguments: texts.filter { !$0.0.hasSuffix("]") })
    func `Null means an absent field`(field: String, template: String) {
        for word in ["null", "~", ""] {
            let problems = reading(template.replacing("@", with: word)).problems
            #expect(!problems.contains { $0.message.contains("must be text:") }, "\(problems)")
        }
    }

    @Test func `A port's name that is a boolean is reported in one line`() {
        let result = reading(Self.service + "{ports: [{name: on, port: 80}]}\n")
        #expect(
            result.problems.map(\.description) == [
                "web.yaml document 1 (line 1), Service default/web, spec.ports[0].name \"on\": must be text: without quotes it is a boolean in YAML"
            ])
    }

    @Test(
        arguments: [
            ("0", 0), ("80", 80), ("0120", 80), ("0o120", 80), ("0x50", 80), ("0X50", 80), ("0b1010000", 80), ("8_0", 80), ("+80", 80),
            ("80.0", 80), ("8e1", 80), ("80.", 80), ("089", 89), ("1:20", nil), ("80.5", nil), ("\"80\"", nil), ("eighty", nil),
            ("yes", nil),
            ("0x", nil), ("_80", nil), ("99999999999999999999", nil), (".inf", nil), (".nan", nil), ("!!int \"80\"", 80), ("!!str 80", nil),
        ] as [(String, UInt16?)])
    func `Numbers are parsed as by kubectl`(text: String, expected: UInt16?) throws {
        struct Value: Decodable { var number: Int }
        let number = Result { try yaml(Value.self, "number: \(text)\n").number }
        #expect((try? number.get()) == expected.map { Int($0) })
    }

    @Test(
        arguments: [
            ("true", true), ("True", true), ("yes", true), ("on", true), ("Y", true), ("false", false), ("NO", false), ("off", false),
            ("n", false), ("\"true\"", nil), ("1", nil), ("tRUE", nil),
        ] as [(String, Bool?)])
    func `Booleans are those of YAML 1.1`(text: String, expected: Bool?) {
        struct Value: Decodable { var flag: Bool }
        let flag = Result { try yaml(Value.self, "flag: \(text)\n").flag }
        #expect((try? flag.get()) == expected)
    }

    @Test func `Keys of other types become text, and a mapping's own keys override merged ones`() throws {
        let text = """
            base: &base
              on: b
              0x10: c
              app: d
            labels:
              <<: *base
              app: own
            """
        struct Value: Decodable { var labels: [String: String] }
        #expect(try yaml(Value.self, text).labels == ["true": "b", "16": "c", "app": "own"])
    }
}
