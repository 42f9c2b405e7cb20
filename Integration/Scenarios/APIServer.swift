import FoundationEssentials
import KernelTestSupport

/// The API server of the scenarios: a separate process in the network outside the node, which can be made to misbehave.
///
/// With `KUBECONFIG_TEST`, a relay to the API server of that file takes its place.
actor APIServer {
    static let shared = APIServer()

    static let address = "10.99.0.1"
    /// Whether the API server of a real cluster is used, which cannot be made to misbehave and must not get our Nodes.
    static var isOfACluster: Bool { Place.environment("KUBECONFIG_TEST").map { !$0.isEmpty } ?? false }

    private var process: Int?

    /// Starts an empty server that accepts clients with the token of `Place.api`/token.
    func start(_ more: String = "") async throws {
        try await stop()
        try await Shell.output(
            """
            rm -rf \(Place.api); mkdir -p \(Place.api); echo first >\(Place.api)/token; touch \(Place.api)/log
            """)
        let command =
            "ip netns exec outside \(Place.apiserver) serve --address \(APIServer.address) --port 6443 --certificates \(Place.api) --make-certificates "
            + "--token-file \(Place.api)/token \(more)"
        process = Int(try await Shell.output("setsid \(command) </dev/null >\(Place.api)/log 2>&1 & echo $!"))
        try await World.shared.wait(for: "the API server") {
            try String(ofFile: "\(Place.api)/log").contains("serving")
        }
    }

    /// Starts relays to the API server of `KUBECONFIG_TEST`, and writes a kubeconfig that uses them.
    func connect() async throws {
        try await stop()
        // Two relays: one can reach the relay of `Integration/kernel/run`, the other is reachable from the node.
        process = Int(
            try await Shell.output(
                """
                rm -rf \(Place.api); mkdir -p \(Place.api)
                name=$(grep -oE 'server"?: *"?https://[^":/,} ]+' "$KUBECONFIG_TEST" | head -n 1 | sed 's#.*https://##')
                # If the server is an address, the certificate is verified for this name, which every API server has.
                [[ $name == *[a-z]* ]] || name=kubernetes
                sed -E -e 's#"server":"https://[^"]+"#"server":"https://\(APIServer.address):6443","tls-server-name":"'$name'"#' \
                    -e 's#^( *)server: *.*#\\1server: https://\(APIServer.address):6443\\n\\1tls-server-name: '$name'#' "$KUBECONFIG_TEST" >\(Place.kubeconfig)
                setsid socat UNIX-LISTEN:\(Place.api)/relay,fork "$API_RELAY" </dev/null >/dev/null 2>&1 &
                setsid ip netns exec outside socat TCP-LISTEN:6443,bind=\(APIServer.address),reuseaddr,fork UNIX-CONNECT:\(Place.api)/relay \
                    </dev/null >\(Place.api)/log 2>&1 & echo $!
                """))
        try await Task.sleep(for: .seconds(2))
    }

    func stop() async throws {
        guard let process else { return }
        try await Shell.output("kill -KILL \(process) 2>/dev/null; while kill -0 \(process) 2>/dev/null; do sleep 0.05; done; true")
        self.process = nil
    }

    /// Sends a request from the network of the server.
    @discardableResult
    func request(_ method: String, _ path: String, _ body: String? = nil) async throws -> String {
        let token = try String(ofFile: "\(Place.api)/token").filter { !$0.isWhitespace }
        let data = body.map { "--header 'Content-Type: application/json' --data-binary \(Shell.quoted($0))" } ?? ""
        return try await Shell.output(
            in: "outside",
            "curl --silent --show-error --fail-with-body --max-time 30 --cacert \(Place.api)/ca.crt --header 'Authorization: Bearer \(token)' "
                + "--request \(method) \(data) https://\(APIServer.address):6443\(Shell.quoted(path))")
    }

    /// Creates an object or replaces an existing one.
    func put(_ object: APIObject) async throws {
        do {
            try await request("PUT", "\(object.path)/\(object.name)", object.json)
        } catch let error as Shell.Failure where error.output.contains("NotFound") {
            try await request("POST", object.path, object.json)
        }
    }

    func delete(_ object: APIObject) async throws { try await request("DELETE", "\(object.path)/\(object.name)") }

    /// Sends a test command that makes the server misbehave; see `Tests/APIServerForTests`.
    func control(_ command: String, _ body: String = "{}") async throws { try await request("POST", "/_test/\(command)", body) }

    /// Returns the requests of the proxy so far that contain a text.
    func requests(containing text: String) async throws -> [String] {
        try JSONDecoder().decode([String].self, from: Data(try await request("GET", "/_test/requests?contains=\(text)").utf8))
    }

    /// Returns the sorted lines that `ipvsadm -S -n` must show for the cluster IPs of the server.
    func expected(namespace: String? = nil) async throws -> [String] {
        let only = namespace.map { "--namespace \($0)" } ?? ""
        return try await Shell.output(in: "outside", "\(Place.apiserver) expected --kubeconfig \(Place.kubeconfig) \(only)")
            .split(separator: "\n").map(String.init)
    }
}

/// An API object of the scenarios as JSON.
struct APIObject {
    /// `/api/v1/namespaces/default/services`
    var path: String
    var name: String
    var json: String

    /// The Service `web` of `Manifests`, with a node port.
    static func web(_ name: String = "web", address: String = Manifests.clusterIP, address6: String = Manifests.clusterIP6) -> APIObject {
        let ports = ["TCP", "UDP", "SCTP"].map {
            "{\"name\":\"\($0.lowercased())\",\"protocol\":\"\($0)\",\"port\":80,\"targetPort\":8080,\"nodePort\":\(name == "web" ? 30080 : 30081)}"
        }
        return APIObject(
            path: "/api/v1/namespaces/default/services", name: name,
            json: """
                {"apiVersion":"v1","kind":"Service","metadata":{"name":"\(name)","namespace":"default"},"spec":{"type":"NodePort",\
                "clusterIP":"\(address)","clusterIPs":["\(address)","\(address6)"],"ipFamilies":["IPv4","IPv6"],"ports":[\(ports.joined(separator: ","))]}}
                """)
    }

    /// A slice of `web` with these pods.
    static func slice(_ pods: [String], isV6: Bool = false, of service: String = "web") -> APIObject {
        let endpoints = pods.map {
            "{\"addresses\":[\"\(isV6 ? World.address6($0) : World.address($0))\"],\"conditions\":{\"ready\":true},\"nodeName\":\"node1\"}"
        }
        let ports = ["TCP", "UDP", "SCTP"].map { "{\"name\":\"\($0.lowercased())\",\"protocol\":\"\($0)\",\"port\":8080}" }
        let name = "\(service)-\(isV6 ? 6 : 4)"
        return APIObject(
            path: "/apis/discovery.k8s.io/v1/namespaces/default/endpointslices", name: name,
            json: """
                {"apiVersion":"discovery.k8s.io/v1","kind":"EndpointSlice","metadata":{"name":"\(name)","namespace":"default",\
                "labels":{"kubernetes.io/service-name":"\(service)"}},"addressType":"\(isV6 ? "IPv6" : "IPv4")",\
                "endpoints":[\(endpoints.joined(separator: ","))],"ports":[\(ports.joined(separator: ","))]}
                """)
    }

    /// A Service of type LoadBalancer with these addresses in its status.
    static func loadBalancer(_ name: String, address: String, ingress: [String]) -> APIObject {
        let list = ingress.map { "{\"ip\":\"\($0)\"}" }.joined(separator: ",")
        return APIObject(
            path: "/api/v1/namespaces/default/services", name: name,
            json: """
                {"apiVersion":"v1","kind":"Service","metadata":{"name":"\(name)","namespace":"default"},"spec":{"type":"LoadBalancer",\
                "clusterIP":"\(address)","clusterIPs":["\(address)"],"ipFamilies":["IPv4"],\
                "ports":[{"name":"tcp","protocol":"TCP","port":80,"targetPort":8080}]},"status":{"loadBalancer":{"ingress":[\(list)]}}}
                """)
    }

    static func node(
        _ addresses: [String] = ["10.99.0.2", "fd00:99::2"], podCIDRs: [String] = [], name: String = "node1"
    ) -> APIObject {
        let list = addresses.map { "{\"type\":\"InternalIP\",\"address\":\"\($0)\"}" }.joined(separator: ",")
        let ranges = podCIDRs.map { "\"\($0)\"" }.joined(separator: ",")
        return APIObject(
            path: "/api/v1/nodes", name: name,
            json: """
                {"apiVersion":"v1","kind":"Node","metadata":{"name":"\(name)"},"spec":{"podCIDRs":[\(ranges)]},"status":{"addresses":[\(list)]}}
                """)
    }
}
