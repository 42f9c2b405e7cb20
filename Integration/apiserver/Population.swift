internal import APIServerForTests
internal import ArgumentParser

/// Deterministic Services and EndpointSlices.
struct Population: ParsableArguments {
    @Option(help: "The namespace of the objects.")
    var namespace: String

    @Option(help: "Number of Services.")
    var services = 100

    @Option(help: "Number of endpoints of each Service.")
    var endpoints = 10

    @Option(help: ArgumentHelp("Range of cluster IPs; the first 256 are not used.", valueName: "cidr"))
    var clusterIPRange = Population.range("10.96.0.0/12")

    @Flag(name: .customLong("allocate-cluster-ips"), help: "Let the API server allocate cluster IPs.")
    var allocatesClusterIPs = false

    @Option(help: ArgumentHelp("Range of endpoint addresses.", valueName: "cidr"))
    var endpointRange = Population.endpointRange

    @Option(help: "The Node of the endpoints.")
    var node = "node1"

    func validate() throws {
        guard services >= 0, endpoints >= 0, endpoints <= 1000 else { throw ValidationError("a slice has at most 1000 endpoints") }
        guard services + 256 <= clusterIPRange.count else { throw ValidationError("\(clusterIPRange) is too small") }
        guard services * endpoints < endpointRange.count else { throw ValidationError("\(endpointRange) is too small") }
    }

    /// The usual pod range of clusters.
    static let endpointRange = range("10.244.0.0/16")

    private static func range(_ text: String) -> AddressRange {
        guard let range = AddressRange(argument: text) else { preconditionFailure("\(text) is not a range") }
        return range
    }

    var namespaceObject: JSON { ["apiVersion": "v1", "kind": "Namespace", "metadata": ["name": .string(namespace)]] }

    /// Returns a Service without a selector, so that the cluster's own controller does not change its slices.
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
