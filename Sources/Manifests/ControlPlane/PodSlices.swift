internal import Kubernetes
internal import Model

/// The EndpointSlices that the control plane would create for the Pods that a Service selects.
enum PodSlices {
    /// Returns one slice for each family and each mapping of Service ports to Pod ports; Pods without any of the ports are in a slice
    /// without ports.
    ///
    /// - Parameter zones: The zones of Nodes, by the name of the Node.
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

    /// Returns the endpoints grouped by their ports, in the order of the first Pod of each group.
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

    /// Returns the weights annotation of a slice from the `kube-ipvs-proxy.io/weight` annotations of its Pods; nil if none has one.
    private static func weights(of endpoints: [Endpoint], _ pods: [Pod]) -> String? {
        let names = Set(endpoints.compactMap(\.pod))
        let weights = pods.compactMap { pod in
            names.contains(pod.metadata.name) ? pod.metadata[.weight].map { "\(pod.metadata.name)=\($0)" } : nil
        }
        return weights.isEmpty ? nil : weights.joined(separator: ",")
    }

    /// Returns the Pod's port for a port of the Service; nil if the Pod has no port of that name.
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
            // An endpoint without a zone gets no zone hint, and then the hints of all endpoints of the Service are ignored.
            endpoint.zoneHints = [pod.nodeName.flatMap { zones[$0] }].compactMap(\.self)
            if distribution == .preferSameNode { endpoint.nodeHints = [pod.nodeName].compactMap(\.self) }
        }
        return endpoint
    }
}

/// An index of Pods and the Services that select them, by label.
struct PodIndex {
    private struct LabelKey: Hashable {
        var namespace: String
        var key: String
        var value: String
    }

    private(set) var pods: [NamespacedName: Pod] = [:]
    private var podsByLabel: [LabelKey: Set<NamespacedName>] = [:]
    private var selectors: [NamespacedName: [String: String]] = [:]
    /// Services by the first label of their selector: every selected Pod has it.
    private var servicesByLabel: [LabelKey: Set<NamespacedName>] = [:]

    /// Adds, replaces or removes a Pod; returns the Services that selected it before or select it now.
    mutating func set(_ pod: Pod?, named name: NamespacedName) -> Set<NamespacedName> {
        let before = pods[name]
        guard before != pod else { return [] }
        let affected = services(selecting: before).union(services(selecting: pod))
        for (key, value) in before?.metadata.labels ?? Labels([:]) {
            podsByLabel.remove(name, from: LabelKey(namespace: name.namespace, key: key, value: value))
        }
        for (key, value) in pod?.metadata.labels ?? Labels([:]) {
            podsByLabel[LabelKey(namespace: name.namespace, key: key, value: value), default: []].insert(name)
        }
        pods[name] = pod
        return affected
    }

    /// Sets the selector of a Service; an empty one selects nothing.
    mutating func set(selector: [String: String], of service: NamespacedName) {
        guard selectors[service, default: [:]] != selector else { return }
        if let old = PodIndex.indexKey(of: selectors[service], in: service.namespace) { servicesByLabel.remove(service, from: old) }
        if let new = PodIndex.indexKey(of: selector, in: service.namespace) { servicesByLabel[new, default: []].insert(service) }
        selectors[service] = selector.isEmpty ? nil : selector
    }

    /// Returns the Pods that a Service selects, sorted by name.
    func pods(selectedBy service: NamespacedName) -> [Pod] {
        guard let selector = selectors[service] else { return [] }
        var fewest: Set<NamespacedName>?
        for (key, value) in selector {
            let found = podsByLabel[LabelKey(namespace: service.namespace, key: key, value: value)] ?? []
            if fewest.map({ found.count < $0.count }) ?? true { fewest = found }
        }
        return (fewest ?? []).sorted().compactMap { pods[$0] }.filter { PodIndex.matches($0, selector) }
    }

    private func services(selecting pod: Pod?) -> Set<NamespacedName> {
        guard let pod else { return [] }
        var found: Set<NamespacedName> = []
        for (key, value) in pod.metadata.labels {
            let label = LabelKey(namespace: pod.metadata.namespace, key: key, value: value)
            for service in servicesByLabel[label] ?? [] where PodIndex.matches(pod, selectors[service] ?? [:]) { found.insert(service) }
        }
        return found
    }

    private static func indexKey(of selector: [String: String]?, in namespace: String) -> LabelKey? {
        selector?.min { $0.key < $1.key }.map { LabelKey(namespace: namespace, key: $0.key, value: $0.value) }
    }

    private static func matches(_ pod: Pod, _ selector: [String: String]) -> Bool {
        selector.allSatisfy { pod.metadata.labels[$0.key] == $0.value }
    }
}

extension Dictionary {
    /// Removes a member from the set of a key, and the key once the set is empty.
    mutating func remove<Member>(_ member: Member, from key: Key) where Value == Set<Member> {
        self[key]?.remove(member)
        if self[key]?.isEmpty == true { self[key] = nil }
    }
}
