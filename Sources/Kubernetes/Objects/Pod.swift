public import Model

/// A Pod (`core/v1`), with the fields of `spec` and `status` at the top level.
public struct Pod: Hashable, Sendable {
    public var metadata: ObjectMeta
    /// `spec.nodeName`
    public var nodeName: String?
    /// `spec.hostNetwork`
    public var hostNetwork: Bool
    /// `spec.containers[].ports` of all containers in order, then those of the sidecars in `spec.initContainers`, which run as long as the
    /// Pod.
    public var ports: [ContainerPort]
    /// `status.phase`: `Pending`, `Running`, `Succeeded`, `Failed` or `Unknown`.
    public var phase: String?
    /// `status.podIPs[].ip`, or `status.podIP` if only that is set.
    public var podIPs: [String]
    /// `status.conditions`
    public var conditions: [PodCondition]

    public init(
        metadata: ObjectMeta, nodeName: String? = nil, hostNetwork: Bool = false, ports: [ContainerPort] = [], phase: String? = nil,
        podIPs: [String] = [], conditions: [PodCondition] = []
    ) {
        self.metadata = metadata
        self.nodeName = nodeName
        self.hostNetwork = hostNetwork
        self.ports = ports
        self.phase = phase
        self.podIPs = podIPs
        self.conditions = conditions
    }

    /// Whether the Pod's `Ready` condition is true; without any conditions, whether its phase does not rule it out.
    public var isReady: Bool {
        guard !conditions.isEmpty else { return phase.map { !["Failed", "Succeeded", "Pending"].contains($0) } ?? true }
        return conditions.contains { $0.type == "Ready" && $0.status == "True" }
    }

    /// Whether the Pod has ended and will not serve again.
    public var isFinished: Bool { phase == "Failed" || phase == "Succeeded" }

    /// Whether the Pod is being deleted.
    public var isTerminating: Bool { metadata.deletionTimestamp != nil }
}

extension Pod: Decodable {
    private enum CodingKeys: String, CodingKey { case metadata, spec, status }
    private enum SpecKeys: String, CodingKey { case nodeName, hostNetwork, containers, initContainers }
    private enum StatusKeys: String, CodingKey { case phase, podIP, podIPs, conditions }

    private struct Container: Decodable {
        var ports: [ContainerPort]?
        var restartPolicy: String?
    }

    private struct PodIP: Decodable {
        var ip: String?
    }

    public init(from decoder: any Decoder) throws {
        let fields = try decoder.container(keyedBy: CodingKeys.self)
        self.init(metadata: try fields.value(.metadata, default: ObjectMeta(name: "")))
        if let spec = try fields.nested(SpecKeys.self, .spec) {
            nodeName = try spec.decodeIfPresent(String.self, forKey: .nodeName)
            hostNetwork = try spec.value(.hostNetwork, default: false)
            let sidecars = try spec.list(.initContainers, of: Container.self).filter { $0.restartPolicy == "Always" }
            ports = (try spec.list(.containers, of: Container.self) + sidecars).flatMap { $0.ports ?? [] }
        }
        if let status = try fields.nested(StatusKeys.self, .status) {
            phase = try status.decodeIfPresent(String.self, forKey: .phase)
            podIPs = try status.list(.podIPs, of: PodIP.self).compactMap(\.ip)
            if podIPs.isEmpty, let single = try status.decodeIfPresent(String.self, forKey: .podIP), !single.isEmpty {
                podIPs = [single]
            }
            conditions = try status.list(.conditions)
        }
    }
}

/// A condition of a Pod (`Pod.status.conditions[]`).
public struct PodCondition: Hashable, Sendable, Decodable {
    /// `type`: `Ready`, `PodScheduled`, …
    public var type: String
    /// `status`: `True`, `False` or `Unknown`.
    public var status: String

    public init(type: String, status: String) {
        self.type = type
        self.status = status
    }
}

/// A port that a container declares (`Pod.spec.containers[].ports[]`).
public struct ContainerPort: Hashable, Sendable {
    /// `name`; empty if it has none.
    public var name: String
    /// `containerPort`
    public var containerPort: UInt16
    /// `protocol`
    public var transport: Transport

    public init(name: String = "", containerPort: UInt16, transport: Transport = .tcp) {
        self.name = name
        self.containerPort = containerPort
        self.transport = transport
    }
}

extension ContainerPort: Decodable {
    private enum CodingKeys: String, CodingKey {
        case name, containerPort, `protocol`
    }

    public init(from decoder: any Decoder) throws {
        let fields = try decoder.container(keyedBy: CodingKeys.self)
        self.init(
            name: try fields.value(.name, default: ""), containerPort: try fields.port(.containerPort) ?? 0,
            transport: try fields.choice(.protocol, default: .tcp))
    }
}
