import Kubernetes
import KubernetesAPI
import Model

/// Services with endpoints on a hundred nodes, with names as in a cluster.
struct Population {
    var services: Int
    /// Endpoints of each Service, at most a hundred in a slice.
    var endpoints: Int

    private static let pageSize = 500
    private static let sliceSize = 100

    private var slicesPerService: Int { (endpoints + Population.sliceSize - 1) / Population.sliceSize }

    // MARK: Lists

    func forEachService(_ body: (Versioned<Service>) -> Void) throws {
        try forEachPage(services, "v1", "ServiceList", of: Service.self, service, body)
    }

    func forEachSlice(_ body: (Versioned<EndpointSlice>) -> Void) throws {
        let count = slicesPerService
        try forEachPage(
            services * count, "discovery.k8s.io/v1", "EndpointSliceList", of: EndpointSlice.self,
            { number in slice(number / count, number % count, without: nil, generation: 0, version: 1) }, body)
    }

    /// The first slice of a Service in another version.
    ///
    /// - Parameters:
    ///   - without: the number of an endpoint that is not ready.
    ///   - generation: one more for a replaced pod, which has another address; all have other names.
    func slice(of service: Int, without: Int? = nil, generation: Int = 0, version: Int) throws -> Versioned<EndpointSlice> {
        let body = Population.list(
            "discovery.k8s.io/v1", "EndpointSliceList", [slice(service, 0, without: without, generation: generation, version: version)])
        guard let slice = try WireDecoder<EndpointSlice>(contentType: .protobuf).list(body).items.first else {
            throw BenchError(description: "the slice was not decoded")
        }
        return slice
    }

    private func forEachPage<Object: APIObject>(
        _ count: Int, _ apiVersion: String, _ kind: String, of type: Object.Type, _ item: (Int) -> ProtobufBytes,
        _ body: (Versioned<Object>) -> Void
    ) throws {
        for start in stride(from: 0, to: count, by: Population.pageSize) {
            let items = (start..<min(start + Population.pageSize, count)).map(item)
            let list = try WireDecoder<Object>(contentType: .protobuf).list(Population.list(apiVersion, kind, items))
            guard list.problems.isEmpty else { throw BenchError(description: "\(list.problems)") }
            list.items.forEach(body)
        }
    }

    /// A list in its envelope (`kubernetes.proto`: `Unknown`, `ObjectList`).
    private static func list(_ apiVersion: String, _ kind: String, _ items: [ProtobufBytes]) -> [UInt8] {
        var list = ProtobufBytes()
        list.add(1) { $0.add(2, "1000") }
        for item in items { list.add(2, item.bytes) }
        var envelope = ProtobufBytes()
        envelope.add(1) {
            $0.add(1, apiVersion)
            $0.add(2, kind)
        }
        envelope.add(2, list.bytes)
        return [0x6b, 0x38, 0x73, 0x00] + envelope.bytes
    }

    // MARK: Objects

    private func name(_ service: Int) -> String { "checkout-api-\(String(service + 100_000).dropFirst())-svc" }

    private func metadata(
        _ message: inout ProtobufBytes, of service: Int, name: String, labels: [(String, String)], version: Int
    ) {
        message.add(1) { metadata in
            metadata.add(1, name)
            metadata.add(3, "team-\(service % 50)")
            metadata.add(5, "3f1c9a52-7c1d-4b7e-9a0e-\(100_000_000_000 + version)")
            metadata.add(6, "\(100_000 + version)")
            metadata.add(8) { $0.add(1, 1_760_000_000) }
            for (key, value) in labels {
                metadata.add(11) {
                    $0.add(1, key)
                    $0.add(2, value)
                }
            }
        }
    }

    private func service(_ number: Int) -> ProtobufBytes {
        let name = name(number)
        var message = ProtobufBytes()
        metadata(
            &message, of: number, name: name, labels: [("app.kubernetes.io/name", "checkout-api"), ("app.kubernetes.io/part-of", "shop")],
            version: number)
        let address = "\(IPAddress(v4: 0x0a60_0010 + UInt32(number)))"
        message.add(2) { spec in
            spec.add(1) { port in
                port.add(1, "http")
                port.add(2, "TCP")
                port.add(3, 80)
                port.add(4) {
                    $0.add(1, 0)
                    $0.add(2, 8080)
                }
            }
            spec.add(2) {
                $0.add(1, "app.kubernetes.io/name")
                $0.add(2, name)
            }
            spec.add(3, address)
            spec.add(4, "ClusterIP")
            spec.add(7, "None")
            spec.add(17, "SingleStack")
            spec.add(18, address)
            spec.add(19, "IPv4")
            spec.add(22, "Cluster")
        }
        return message
    }

    private func slice(_ service: Int, _ part: Int, without: Int?, generation: Int, version: Int) -> ProtobufBytes {
        let name = name(service)
        var message = ProtobufBytes()
        metadata(
            &message, of: service, name: "\(name)-\(String(part + 100_000).dropFirst())",
            labels: [("kubernetes.io/service-name", name), ("app.kubernetes.io/name", "checkout-api")], version: version)
        let first = part * Population.sliceSize
        for number in first..<min(first + Population.sliceSize, endpoints) {
            // A generation replaces one pod of each Service: the next address of four.
            let replaced = (generation + number) / endpoints % 4
            let address = "\(IPAddress(v4: 0x0a80_0010 + UInt32((replaced * services + service) * endpoints + number)))"
            let pod =
                "\(name)-\(String(0x5d4f_8c7b + generation, radix: 16))-\(String(0x10_0000 + service * endpoints + number, radix: 32))"
            message.add(2) { endpoint in
                endpoint.add(1, address)
                endpoint.add(2) {
                    $0.add(1, number == without ? 0 : 1)
                    $0.add(2, number == without ? 0 : 1)
                    $0.add(3, 0)
                }
                endpoint.add(4) {
                    $0.add(1, "Pod")
                    $0.add(3, pod)
                }
                endpoint.add(6, "ip-10-0-\((service * 7 + number) % 100)-17.node-\(generation / 10).internal")
            }
        }
        message.add(3) { port in
            port.add(1, "http")
            port.add(2, "TCP")
            port.add(3, 8080)
        }
        message.add(4, "IPv4")
        return message
    }
}
