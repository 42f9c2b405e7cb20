internal import APIServerForTests
internal import ArgumentParser

/// Services and their EndpointSlices, the same ones every time.
struct Population: ParsableArguments {
    @Option(help: "Where they are.")
    var namespace: String

    @Option(help: "How many Services.")
    var services = 100

    @Option(help: "How many endpoints each of them has.")
    var endpoints = 10

    @Option(help: ArgumentHelp("Where cluster IPs are from; the first 256 are left to others.", valueName: "cidr"))
    var clusterIPRange = Population.range("10.96.0.0/12")

    @Flag(name: .customLong("allocate-cluster-ips"), help: "Leave the choice of cluster IPs to the API server.")
    var allocatesClusterIPs = false

    @Option(help: ArgumentHelp("Where endpoints' addresses are from.", valueName: "cidr"))
    var endpointRange = Population.endpointRange

    @Option(help: "The Node that the endpoints are on.")
    var node = "node1"

    func validate() throws {
        guard services >= 0, endpoints >= 0, endpoints <= 1000 else { throw ValidationError("a slice has 1000 endpoints at most") }
        guard services + 256 <= clusterIPRange.count else { throw ValidationError("\(clusterIPRange) is too small") }
        guard services * endpoints < endpointRange.count else { throw ValidationError("\(endpointRange) is too small") }
    }

    /// What clusters mostly give their pods.
    static let endpointRange = range("10.244.0.0/16")

    private static func range(_ text: String) -> AddressRange {
        guard let range = AddressRange(argument: text) else { preconditionFailure("\(text) is no range") }
        return range
    }

    var namespaceObject: JSON { ["apiVersion": "v1", "kind": "Namespace", "metadata": ["name": .string(namespace)]] }

    /// Without a selector, so that the cluster's own controller leaves its slices alone.
    func service(_ number: Int) -> JSON {
        var spec: JSON = [
            "type": "ClusterIP", "ipFamilies": ["IPv4"], "ipFamilyPolicy": "SingleStack", "sessionAffinity": "None",
            "internalTrafficPolicy": "Cluster", "ports": [["name": "http", "protocol": "TCP", "port": 80, "targetPort": 8080]],
        ]
        if !allocatesClusterIPs {
            let address: JSON = .string(clusterIPRange[256 + number])
            spec["clusterIP"] = address
            spec["clusterIPs"] = [address]
        }
        return [
            "apiVersion": "v1", "kind": "Service", "metadata": ["name": .string(name(number)), "namespace": .string(namespace)],
            "spec": spec,
        ]
    }

    func slice(_ number: Int) -> JSON {
        let addresses = (0..<endpoints).map { endpointRange[number * endpoints + $0 + 1] }
        return [
            "apiVersion": "discovery.k8s.io/v1", "kind": "EndpointSlice",
            "metadata": [
                "name": .string("\(name(number))-1"), "namespace": .string(namespace),
                "labels": ["kubernetes.io/service-name": .string(name(number))],
            ],
            "addressType": "IPv4", "endpoints": .array(addresses.map { Population.endpoint($0, node: node) }),
            "ports": [["name": "http", "protocol": "TCP", "port": 8080]],
        ]
    }

    static func endpoint(_ address: String, node: String) -> JSON {
        [
            "addresses": [.string(address)], "conditions": ["ready": true, "serving": true, "terminating": false],
            "nodeName": .string(node),
        ]
    }

    private func name(_ number: Int) -> String { "service-\(number)" }
}
