internal import Kubernetes
internal import Model

/// Pods and the Services that select them, each found through labels without walking the others.
struct PodIndex {
    private struct LabelPlace: Hashable {
        var namespace: String
        var key: String
        var value: String
    }

    private(set) var pods: [NamespacedName: Pod] = [:]
    private var podsByLabel: [LabelPlace: Set<NamespacedName>] = [:]
    private var selectors: [NamespacedName: [String: String]] = [:]
    /// Services by one label of their selector, the first in order: a Pod that is selected has it.
    private var servicesByLabel: [LabelPlace: Set<NamespacedName>] = [:]

    /// Takes a Pod over; returns the Services that select it as it was or as it is.
    mutating func set(_ pod: Pod?, named name: NamespacedName) -> Set<NamespacedName> {
        let before = pods[name]
        guard before != pod else { return [] }
        let affected = services(selecting: before).union(services(selecting: pod))
        for (key, value) in before?.metadata.labels ?? Labels([:]) {
            podsByLabel.remove(name, from: LabelPlace(namespace: name.namespace, key: key, value: value))
        }
        for (key, value) in pod?.metadata.labels ?? Labels([:]) {
            podsByLabel[LabelPlace(namespace: name.namespace, key: key, value: value), default: []].insert(name)
        }
        pods[name] = pod
        return affected
    }

    /// Takes the selector of a Service over; an empty one selects nothing.
    mutating func set(selector: [String: String], of service: NamespacedName) {
        guard selectors[service, default: [:]] != selector else { return }
        if let old = PodIndex.place(of: selectors[service], in: service.namespace) { servicesByLabel.remove(service, from: old) }
        if let new = PodIndex.place(of: selector, in: service.namespace) { servicesByLabel[new, default: []].insert(service) }
        selectors[service] = selector.isEmpty ? nil : selector
    }

    /// The Pods that a Service selects, by name.
    func pods(selectedBy service: NamespacedName) -> [Pod] {
        guard let selector = selectors[service] else { return [] }
        var fewest: Set<NamespacedName>?
        for (key, value) in selector {
            let found = podsByLabel[LabelPlace(namespace: service.namespace, key: key, value: value)] ?? []
            if fewest.map({ found.count < $0.count }) ?? true { fewest = found }
        }
        return (fewest ?? []).sorted().compactMap { pods[$0] }.filter { PodIndex.matches($0, selector) }
    }

    private func services(selecting pod: Pod?) -> Set<NamespacedName> {
        guard let pod else { return [] }
        var found: Set<NamespacedName> = []
        for (key, value) in pod.metadata.labels {
            let place = LabelPlace(namespace: pod.metadata.namespace, key: key, value: value)
            for service in servicesByLabel[place] ?? [] where PodIndex.matches(pod, selectors[service] ?? [:]) { found.insert(service) }
        }
        return found
    }

    private static func place(of selector: [String: String]?, in namespace: String) -> LabelPlace? {
        selector?.min { $0.key < $1.key }.map { LabelPlace(namespace: namespace, key: $0.key, value: $0.value) }
    }

    private static func matches(_ pod: Pod, _ selector: [String: String]) -> Bool {
        selector.allSatisfy { pod.metadata.labels[$0.key] == $0.value }
    }
}

extension Dictionary {
    /// Takes one member out of the set under a key, and the set out once it is empty.
    mutating func remove<Member>(_ member: Member, from key: Key) where Value == Set<Member> {
        self[key]?.remove(member)
        if self[key]?.isEmpty == true { self[key] = nil }
    }
}
