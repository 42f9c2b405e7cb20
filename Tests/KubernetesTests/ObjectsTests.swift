import Model
import Testing

@testable import Kubernetes

@Suite struct ObjectsTests {
    private static let serviceJSON = """
        {"apiVersion": "v1", "kind": "Service",
         "metadata": {"name": "web", "namespace": "shop", "uid": "x", "labels": {"app": "web"},
           "annotations": {"kubectl.kubernetes.io/last-applied-configuration": "{}", "kube-ipvs-proxy.io/scheduler": "mh",
             "kube-router.io/service.scheduler": "lc", "endpoints.kubernetes.io/last-change-trigger-time": "2026-01-01T00:00:00Z"},
           "creationTimestamp": "2026-01-01T00:00:00Z"},
         "spec": {"type": "LoadBalancer", "clusterIP": "10.96.0.9", "clusterIPs": ["10.96.0.9", "fd00::9"],
           "ipFamilies": ["IPv4", "IPv6"], "ipFamilyPolicy": "PreferDualStack",
           "ports": [{"name": "http", "port": 80, "protocol": "TCP", "targetPort": "web", "nodePort": 30080},
                     {"name": "dns", "port": 53, "protocol": "UDP", "targetPort": 5353}],
           "selector": {"app": "web"}, "sessionAffinity": "ClientIP",
           "sessionAffinityConfig": {"clientIP": {"timeoutSeconds": 600}},
           "externalIPs": ["192.0.2.1"], "loadBalancerSourceRanges": ["192.0.2.0/24"],
           "externalTrafficPolicy": "Local", "internalTrafficPolicy": "Cluster", "healthCheckNodePort": 31000,
           "publishNotReadyAddresses": true, "allocateLoadBalancerNodePorts": false},
         "status": {"loadBalancer": {"ingress": [{"ip": "203.0.113.1", "ipMode": "VIP"}, {"hostname": "lb.example"}]}}}
        """

    static let service = Service(
        metadata: ObjectMeta(
            name: "web", namespace: "shop", uid: "x", labels: ["app": "web"],
            annotations: [
                "kube-ipvs-proxy.io/scheduler": "mh", "kube-router.io/service.scheduler": "lc",
                "endpoints.kubernetes.io/last-change-trigger-time": "2026-01-01T00:00:00Z",
            ], creationTimestamp: Time("2026-01-01T00:00:00Z")),
        type: .loadBalancer, clusterIP: "10.96.0.9", clusterIPs: ["10.96.0.9", "fd00::9"], ipFamilies: [.ipv4, .ipv6],
        ipFamilyPolicy: "PreferDualStack",
        ports: [
            ServicePort(name: "http", port: 80, targetPort: .name("web"), nodePort: 30080),
            ServicePort(name: "dns", transport: .udp, port: 53, targetPort: .number(5353)),
        ],
        selector: ["app": "web"], sessionAffinity: .clientIP, sessionAffinityTimeoutSeconds: 600, externalIPs: ["192.0.2.1"],
        loadBalancerSourceRanges: ["192.0.2.0/24"], externalTrafficPolicy: .local, internalTrafficPolicy: .cluster,
        healthCheckNodePort: 31000, publishNotReadyAddresses: true, allocateLoadBalancerNodePorts: false,
        loadBalancerIngress: [LoadBalancerIngress(ip: "203.0.113.1", ipMode: "VIP"), LoadBalancerIngress(ip: "")])

    @Test func `A Service decodes equally from JSON and YAML, with the annotations in use`() throws {
        #expect(try json(Service.self, Self.serviceJSON) == Self.service)
        #expect(try yaml(Service.self, Self.serviceJSON) == Self.service)
    }

    @Test func `A Service in YAML has the API's defaults for fields that are absent, null or empty`() throws {
        let text = """
            metadata:
              name: web
              labels:
              creationTimestamp: 2026-01-01T00:00:00Z
            spec:
              type: ""
              selector: null
              sessionAffinityConfig:
              ports:
              - port: 80
                targetPort: 0
            """
        let expected = Service(
            metadata: ObjectMeta(name: "web", creationTimestamp: Time("2026-01-01T00:00:00Z")), ports: [ServicePort(port: 80)])
        #expect(try yaml(Service.self, text) == expected)
    }

    @Test func `A headless Service is recognized by None`() throws {
        #expect(try yaml(Service.self, "spec: {clusterIP: None}").isHeadless)
        #expect(try json(Service.self, #"{"spec": {"clusterIPs": ["None"]}}"#).isHeadless)
        #expect(try json(Service.self, "{}").isHeadless == false)
    }

    @Test func `An EndpointSlice decodes with conditions, hints and target`() throws {
        let text = """
            {"apiVersion": "discovery.k8s.io/v1", "kind": "EndpointSlice",
             "metadata": {"name": "web-1", "namespace": "shop", "labels": {"kubernetes.io/service-name": "web"}},
             "addressType": "IPv6",
             "endpoints": [
               {"addresses": ["fd00::1"], "conditions": {"ready": false, "serving": true, "terminating": true}, "nodeName": "n1",
                "targetRef": {"kind": "Pod", "name": "web-a", "namespace": "shop"},
                "hints": {"forZones": [{"name": "z1"}], "forNodes": [{"name": "n1"}]}, "zone": "z1"},
               {"addresses": ["fd00::2"], "targetRef": {"kind": "Node", "name": "n2"}, "conditions": {"ready": null}}],
             "ports": [{"name": "http", "port": 8080, "protocol": "SCTP", "appProtocol": "http"}, {"name": null, "port": null}]}
            """
        let expected = EndpointSlice(
            metadata: ObjectMeta(name: "web-1", namespace: "shop", labels: ["kubernetes.io/service-name": "web"]), addressType: .ipv6,
            endpoints: [
                Endpoint(
                    addresses: Endpoint.addresses(["fd00::1"]), ready: false, serving: true, terminating: true, nodeName: "n1",
                    pod: "web-a",
                    zoneHints: ["z1"], nodeHints: ["n1"]), Endpoint(addresses: Endpoint.addresses(["fd00::2"])),
            ], ports: [EndpointPort(name: "http", port: 8080, transport: .sctp), EndpointPort()])
        #expect(try json(EndpointSlice.self, text) == expected)
        #expect(try yaml(EndpointSlice.self, text) == expected)
        #expect(expected.serviceName == NamespacedName(namespace: "shop", name: "web"))
    }

    @Test func `Unset conditions mean ready, serving and not terminating`() {
        let plain = Endpoint(addresses: [])
        #expect(plain.isReady && plain.isServing && !plain.isTerminating)
        let terminating = Endpoint(addresses: [], ready: false, serving: false, terminating: true)
        #expect(!terminating.isReady && !terminating.isServing && terminating.isTerminating)
    }

    @Test func `A slice without the label, or with an empty one, belongs to no Service`() {
        #expect(EndpointSlice(metadata: ObjectMeta(name: "a"), addressType: .ipv4).serviceName == nil)
        let empty = ObjectMeta(name: "a", labels: ["kubernetes.io/service-name": ""])
        #expect(EndpointSlice(metadata: empty, addressType: .ipv4).serviceName == nil)
    }

    @Test func `A Node decodes with addresses, taints, pod CIDRs and zone`() throws {
        let text = """
            {"metadata": {"name": "n1", "labels": {"topology.kubernetes.io/zone": "z1"}},
             "spec": {"podCIDR": "10.244.0.0/24", "podCIDRs": ["10.244.0.0/24", "fd00::/64"], "taints": [{"key": "k", "effect": "NoSchedule"}]},
             "status": {"addresses": [{"type": "InternalIP", "address": "192.0.2.1"}]}}
            """
        let expected = Node(
            metadata: ObjectMeta(name: "n1", labels: ["topology.kubernetes.io/zone": "z1"]), podCIDRs: ["10.244.0.0/24", "fd00::/64"],
            taints: [Taint(key: "k", effect: "NoSchedule")], addresses: [NodeAddress(type: "InternalIP", address: "192.0.2.1")])
        #expect(try json(Node.self, text) == expected)
        #expect(try yaml(Node.self, text) == expected)
        #expect(expected.zone == "z1")
        #expect(try json(Node.self, #"{"spec": {"podCIDR": "10.0.0.0/8"}}"#).podCIDRs == ["10.0.0.0/8"])
    }

    @Test func `A Pod decodes with the ports of all its containers`() throws {
        let text = """
            {"metadata": {"name": "p", "namespace": "shop"},
             "spec": {"nodeName": "n1", "hostNetwork": true, "containers": [
               {"name": "a", "image": "x", "ports": [{"name": "http", "containerPort": 8080}]}, {"name": "b"},
               {"name": "c", "ports": [{"containerPort": 53, "protocol": "UDP"}]}]},
             "status": {"phase": "Running", "podIP": "10.244.0.3", "podIPs": [{"ip": "10.244.0.3"}, {"ip": "fd00::3"}],
               "conditions": [{"type": "Ready", "status": "True", "lastTransitionTime": null}]}}
            """
        let expected = Pod(
            metadata: ObjectMeta(name: "p", namespace: "shop"), nodeName: "n1", hostNetwork: true,
            ports: [ContainerPort(name: "http", containerPort: 8080), ContainerPort(containerPort: 53, transport: .udp)],
            phase: "Running", podIPs: ["10.244.0.3", "fd00::3"], conditions: [PodCondition(type: "Ready", status: "True")])
        #expect(try json(Pod.self, text) == expected)
        #expect(try yaml(Pod.self, text) == expected)
        #expect(try yaml(Pod.self, "status: {podIP: 10.244.1.3}").podIPs == ["10.244.1.3"])
    }

    @Test(
        arguments: [
            (nil, [], true), ("Running", [], true), ("Pending", [], false), ("Failed", [], false),
            ("Running", [PodCondition(type: "Ready", status: "False")], false),
            ("Running", [PodCondition(type: "Initialized", status: "True")], false),
            ("Pending", [PodCondition(type: "Ready", status: "True")], true),
        ] as [(String?, [PodCondition], Bool)])
    func `A Pod is ready by its condition, or by its phase without conditions`(
        phase: String?, conditions: [PodCondition], isReady: Bool
    ) {
        #expect(Pod(metadata: ObjectMeta(name: "p"), phase: phase, conditions: conditions).isReady == isReady)
    }
}
