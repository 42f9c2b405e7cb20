public import Model

/// What every object of the API says about itself (`metadata`), as far as it is used.
public struct ObjectMeta: Hashable, Sendable {
    /// `metadata.name`
    public var name: String
    /// `metadata.namespace`; empty for objects without one, such as Nodes.
    public var namespace: String
    /// `metadata.labels`
    public var labels: [String: String]
    /// `metadata.annotations`, only those that are read (`isRead(annotation:)`).
    public var annotations: [String: String]
    /// `metadata.creationTimestamp` in RFC 3339.
    public var creationTimestamp: String?
    /// `metadata.deletionTimestamp` in RFC 3339: set while the object is being deleted.
    public var deletionTimestamp: String?

    public init(
        name: String, namespace: String = "", labels: [String: String] = [:], annotations: [String: String] = [:],
        creationTimestamp: String? = nil, deletionTimestamp: String? = nil
    ) {
        self.name = name
        self.namespace = namespace
        self.labels = labels
        self.annotations = annotations
        self.creationTimestamp = creationTimestamp
        self.deletionTimestamp = deletionTimestamp
    }

    public var namespacedName: NamespacedName { NamespacedName(namespace: namespace, name: name) }

    /// The annotation that says when the change behind an EndpointSlice happened.
    public static let lastChangeTriggerTime = "endpoints.kubernetes.io/last-change-trigger-time"

    /// Whether an annotation is kept; others (`last-applied-configuration` above all) would cost more memory than the rest of the object.
    public static func isRead(annotation key: String) -> Bool {
        key == lastChangeTriggerTime || key.hasPrefix("kube-ipvs-proxy.io/") || key.hasPrefix("kube-router.io/service.")
    }
}

extension ObjectMeta: Decodable {
    private enum CodingKeys: String, CodingKey {
        case name, namespace, labels, annotations, creationTimestamp, deletionTimestamp
    }

    public init(from decoder: any Decoder) throws {
        let fields = try decoder.container(keyedBy: CodingKeys.self)
        self.init(
            name: try fields.value(.name, default: ""),
            namespace: try fields.value(.namespace, default: ""),
            labels: try fields.strings(.labels),
            annotations: try fields.strings(.annotations).filter { ObjectMeta.isRead(annotation: $0.key) },
            creationTimestamp: try fields.decodeIfPresent(String.self, forKey: .creationTimestamp),
            deletionTimestamp: try fields.decodeIfPresent(String.self, forKey: .deletionTimestamp))
    }
}
