/// An object for a test to store on the server.
struct TestObject: Sendable {
    var namespace: String
    var name: String
    /// The fields besides `metadata`: `"spec":{…}`.
    var rest: String
    var labels: [String: String] = [:]
    /// The value of an annotation that makes the object large.
    var ballast = ""

    var key: String { "\(namespace)/\(name)" }

    var json: JSON {
        let labels = labels.sorted { $0.key < $1.key }.map { "\"\($0.key)\":\"\($0.value)\"" }.joined(separator: ",")
        let annotations = ballast.isEmpty ? "" : ",\"annotations\":{\"ballast\":\"\(ballast)\"}"
        let metadata = "{\"name\":\"\(name)\",\"namespace\":\"\(namespace)\",\"labels\":{\(labels)}\(annotations)}"
        do {
            return try JSON(Array("{\"metadata\":\(metadata),\(rest)}".utf8))
        } catch {
            preconditionFailure("\(key): \(error)")
        }
    }

    static func service(_ name: String, ip: String = "10.96.0.10", port: Int = 80) -> TestObject {
        TestObject(
            namespace: "default", name: name,
            rest: "\"spec\":{\"type\":\"ClusterIP\",\"clusterIP\":\"\(ip)\",\"clusterIPs\":[\"\(ip)\"],\"ports\":[{\"port\":\(port)}]}")
    }

    static func loadBalancer(_ name: String, ingress: String) -> TestObject {
        TestObject(
            namespace: "default", name: name,
            rest:
                "\"spec\":{\"type\":\"LoadBalancer\",\"clusterIP\":\"10.96.0.90\",\"clusterIPs\":[\"10.96.0.90\"],\"ports\":[{\"port\":80}]},"
                + "\"status\":{\"loadBalancer\":{\"ingress\":[{\"ip\":\"\(ingress)\"}]}}")
    }

    static func slice(_ name: String, of service: String, addresses: [String]) -> TestObject {
        let endpoints = addresses.map { "{\"addresses\":[\"\($0)\"],\"conditions\":{\"ready\":true}}" }.joined(separator: ",")
        return TestObject(
            namespace: "default", name: name,
            rest: "\"addressType\":\"IPv4\",\"endpoints\":[\(endpoints)],\"ports\":[{\"name\":\"\",\"port\":8080,\"protocol\":\"TCP\"}]",
            labels: ["kubernetes.io/service-name": service])
    }

    static func node(_ name: String, address: String = "192.0.2.1") -> TestObject {
        TestObject(
            namespace: "", name: name,
            rest: "\"spec\":{},\"status\":{\"addresses\":[{\"type\":\"InternalIP\",\"address\":\"\(address)\"}]}")
    }
}
