/// Manifests of the scenarios: a Service `web` of both families and all protocols, and its slices.
enum Manifests {
    static let clusterIP = "10.96.0.10"
    static let clusterIP6 = "fd00:96::10"
    static let port: UInt16 = 80
    static let nodePort: UInt16 = 30080

    /// TCP, UDP and SCTP on the same port and node port.
    static func web(
        name: String = "web", address: String = clusterIP, address6: String = clusterIP6, nodePort: UInt16? = Manifests.nodePort
    ) -> String {
        var text = """
            apiVersion: v1
            kind: Service
            metadata: {name: \(name), namespace: default}
            spec:
              type: \(nodePort == nil ? "ClusterIP" : "NodePort")
              clusterIP: "\(address)"
              clusterIPs: ["\(address)", "\(address6)"]
              ipFamilies: [IPv4, IPv6]
              ipFamilyPolicy: RequireDualStack
              ports:

            """
        for transport in ["TCP", "UDP", "SCTP"] {
            let node = nodePort.map { ", nodePort: \($0)" } ?? ""
            text += "  - {name: \(transport.lowercased()), protocol: \(transport), port: \(port), targetPort: 8080\(node)}\n"
        }
        return text
    }

    /// Slices of both families with these pods.
    static func slices(_ pods: [String], of service: String = "web") -> String {
        slice(pods.map(World.address), "IPv4", service) + "---\n" + slice(pods.map(World.address6), "IPv6", service)
    }

    private static func slice(_ addresses: [String], _ family: String, _ service: String) -> String {
        var text = """
            apiVersion: discovery.k8s.io/v1
            kind: EndpointSlice
            metadata: {name: \(service)-\(family.lowercased()), namespace: default, labels: {kubernetes.io/service-name: \(service)}}
            addressType: \(family)
            ports:

            """
        for transport in ["TCP", "UDP", "SCTP"] { text += "- {name: \(transport.lowercased()), protocol: \(transport), port: 8080}\n" }
        text += addresses.isEmpty ? "endpoints: []\n" : "endpoints:\n"
        for address in addresses { text += "- {addresses: [\"\(address)\"], conditions: {ready: true}, nodeName: node1}\n" }
        return text
    }
}
