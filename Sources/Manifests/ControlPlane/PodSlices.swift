internal import Kubernetes
internal import Model

/// The EndpointSlices that the control plane would make of the Pods a Service selects.
enum PodSlices {
    /// One slice for each family and for each way in which the Service's ports lead to Pods' ports; a Pod without any of them has a slice without ports.
    ///
    /// - Parameter zones: of Nodes, by name.
    static func slices(
        of service: Service, families: [IPFamily], pods: [Pod], zones: [String: String], isTaken: (NamespacedName) -> Bool
    ) -> [NamespacedName: EndpointSlice] {
        var slices: [NamespacedName: EndpointSlice] = [:]
        for family in families {
            var number = 0
            for (ports, endpoints) in groups(of: pods, service, family, zones) {
                var metadata = ObjectMeta(name: "", namespace: service.metadata.namespace)
                repeat {
                    metadata.name = "\(service.metadata.name)-manifest-\(family == .ipv4 ? "ipv4" : "ipv6")-\(number)"
                    number += 1
                } while isTaken(metadata.namespacedName)
                metadata.labels = [EndpointSlice.serviceNameLabel: service.metadata.name]
                metadata.annotations[Annotation.weights.rawValue] = weights(of: endpoints, pods)
                slices[metadata.namespacedName] = EndpointSlice(
                    metadata: metadata, addressType: AddressType(family), endpoints: endpoints, ports: ports)
            }
        }
        return slices
    }

    /// Endpoints that share their ports, in the order of the first Pod of each group.
    private static func groups(
        of pods: [Pod], _ service: Service, _ family: IPFamily, _ zones: [String: String]
    ) -> [([EndpointPort], [Endpoint])] {
        var order: [[EndpointPort]] = []
        var endpoints: [[EndpointPort]: [Endpoint]] = [:]
        for pod in pods where !pod.isFinished {
            guard let address = pod.podIPs.lazy.compactMap({ IPAddress($0) }).first(where: { $0.family == family }) else { continue }
            let ports = service.ports.compactMap { endpointPort($0, in: pod) }
            if endpoints[ports] == nil { order.append(ports) }
            endpoints[ports, default: []].append(endpoint(pod, address: address, service, zones))
        }
        return order.map { ($0, endpoints[$0] ?? []) }
    }

    /// What the Pods of these endpoints say of their weights (`kube-ipvs-proxy.io/weight`); nil where none says anything.
    private static func weights(of endpoints: [Endpoint], _ pods: [Pod]) -> String? {
        let names = Set(endpoints.compactMap(\.pod))
        let weights = pods.compactMap { pod in
            names.contains(pod.metadata.name) ? pod.metadata[.weight].map { "\(pod.metadata.name)=\($0)" } : nil
        }
        return weights.isEmpty ? nil : weights.joined(separator: ",")
    }

    /// Where a port of the Service leads in a Pod; nil if the Pod has no port of that name.
    private static func endpointPort(_ port: ServicePort, in pod: Pod) -> EndpointPort? {
        let number: UInt16? =
            switch port.targetPort {
            case .number(let number): number
            case .name(let name): pod.ports.first { $0.name == name && $0.transport == port.transport }?.containerPort
            case nil: port.port
            }
        return number.map { EndpointPort(name: port.name, port: $0, transport: port.transport) }
    }

    private static func endpoint(_ pod: Pod, address: IPAddress, _ service: Service, _ zones: [String: String]) -> Endpoint {
        let isReady = service.publishNotReadyAddresses || (pod.isReady && !pod.isTerminating)
        var endpoint = Endpoint(
            addresses: [address], ready: isReady, serving: pod.isReady, terminating: pod.isTerminating, nodeName: pod.nodeName,
            pod: pod.metadata.name)
        if isReady, let distribution = service.trafficDistribution {
            // An endpoint without a zone has no hint for one, and then none of the Service's counts.
            endpoint.zoneHints = [pod.nodeName.flatMap { zones[$0] }].compactMap(\.self)
            if distribution == .preferSameNode { endpoint.nodeHints = [pod.nodeName].compactMap(\.self) }
        }
        return endpoint
    }
}
