internal import Kubernetes
internal import Model

/// The EndpointSlices that the control plane's mirroring controller would create from an Endpoints object of a Service without selector.
struct EndpointsMirror {
    private let endpoints: Endpoints
    /// Why the object, or a part of it, is ignored; nil if all of it is used.
    let omission: FieldProblem?
    private let isMirrored: Bool

    /// The maximum number of addresses of a subset; further ones are ignored.
    static let addressLimit = 1000

    /// - Parameter service: The Service of the same name; nil if there is none.
    init(_ endpoints: Endpoints, of service: Service?) {
        self.endpoints = endpoints
        let reason: FieldProblem? =
            if endpoints.metadata.labels[Endpoints.skipMirrorLabel] == "true" {
                FieldProblem("metadata.labels.\(Endpoints.skipMirrorLabel)", "true", "excludes the Endpoints from mirroring")
            } else if endpoints.isLeaderElection {
                FieldProblem(
                    "metadata.annotations.\(Endpoints.leaderAnnotation)", nil, "marks a leader election lock, which has no endpoints")
            } else if service == nil {
                FieldProblem("", nil, "is ignored: there is no Service of this name")
            } else if service?.selector.isEmpty == false {
                FieldProblem(
                    "", nil, "is ignored: the Service of this name has a selector, and its Pods or EndpointSlices are used instead")
            } else {
                nil
            }
        isMirrored = reason == nil
        omission = reason ?? EndpointsMirror.excess(in: endpoints)
    }

    private static func excess(in endpoints: Endpoints) -> FieldProblem? {
        for (index, subset) in endpoints.subsets.enumerated() {
            let count = subset.addresses.count + subset.notReadyAddresses.count
            if count > addressLimit {
                return FieldProblem(
                    "subsets[\(index)]", "\(count)", "only the first \(addressLimit) addresses are used: use EndpointSlices")
            }
        }
        return nil
    }

    /// Returns one slice for each family and set of ports.
    func slices(isTaken: (NamespacedName) -> Bool) -> [NamespacedName: EndpointSlice] {
        var slices: [NamespacedName: EndpointSlice] = [:]
        guard isMirrored else { return slices }
        for family in [IPFamily.ipv4, .ipv6] {
            var number = 0
            for (ports, endpoints) in groups(family) {
                var metadata = metadata
                repeat {
                    metadata.name = "\(self.endpoints.metadata.name)-mirrored-\(family.rawValue.lowercased())-\(number)"
                    number += 1
                } while isTaken(metadata.namespacedName)
                slices[metadata.namespacedName] = EndpointSlice(
                    metadata: metadata, addressType: AddressType(family), endpoints: endpoints, ports: ports)
            }
        }
        return slices
    }

    /// The labels and annotations of the object, with the slice's own Service name and manager and without the time of the last change.
    private var metadata: ObjectMeta {
        var metadata = ObjectMeta(
            name: "", namespace: endpoints.metadata.namespace, labels: endpoints.metadata.labels,
            annotations: endpoints.metadata.annotations)
        metadata.labels[EndpointSlice.serviceNameLabel] = endpoints.metadata.name
        metadata.labels["endpointslice.kubernetes.io/managed-by"] = "endpointslicemirroring-controller.k8s.io"
        metadata.annotations[Annotation.lastChangeTriggerTime.rawValue] = nil
        return metadata
    }

    /// Returns the endpoints grouped by their ports, in the order of the subsets.
    private func groups(_ family: IPFamily) -> [([EndpointPort], [Endpoint])] {
        var order: [[EndpointPort]] = []
        var groups: [[EndpointPort]: [Endpoint]] = [:]
        for subset in endpoints.subsets {
            let all = subset.addresses.map { ($0, true) } + subset.notReadyAddresses.map { ($0, false) }
            let endpoints = all.prefix(EndpointsMirror.addressLimit).compactMap { endpoint($0, ready: $1, family) }
            guard !endpoints.isEmpty else { continue }
            let ports = subset.ports.map { EndpointPort(name: $0.name ?? "", port: $0.port, transport: $0.transport) }
            if groups[ports] == nil { order.append(ports) }
            groups[ports, default: []] += endpoints
        }
        return order.map { ($0, groups[$0] ?? []) }
    }

    private func endpoint(_ address: SubsetAddress, ready: Bool, _ family: IPFamily) -> Endpoint? {
        guard let parsed = IPAddress(address.ip), parsed.family == family else { return nil }
        return Endpoint(addresses: [parsed], ready: ready, nodeName: address.nodeName, pod: address.pod)
    }
}
