public import Model

/// What every object of the API says about itself (`metadata`), as far as it is used.
public struct ObjectMeta: Hashable, Sendable {
    /// `metadata.name`
    public var name: String
    /// `metadata.namespace`; empty for objects without one, such as Nodes.
    public var namespace: String
    /// `metadata.uid`, of Services from the API; nil where nobody needs it.
    public var uid: String?
    /// `metadata.labels`; of objects from the API other than Services, only those that are read.
    public var labels: Labels
    /// `metadata.annotations`, only those that are read (`Annotation`).
    public var annotations: [String: String]
    /// `metadata.creationTimestamp`
    public var creationTimestamp: Time?
    /// `metadata.deletionTimestamp`: set while the object is being deleted.
    public var deletionTimestamp: Time?

    public init(
        name: String, namespace: String = "", uid: String? = nil, labels: Labels = [:], annotations: [String: String] = [:],
        creationTimestamp: Time? = nil, deletionTimestamp: Time? = nil
    ) {
        self.name = name
        self.namespace = namespace
        self.uid = uid
        self.labels = labels
        self.annotations = annotations
        self.creationTimestamp = creationTimestamp
        self.deletionTimestamp = deletionTimestamp
    }

    public var namespacedName: NamespacedName { NamespacedName(namespace: namespace, name: name) }

    /// The value of an annotation; nil where there is none.
    public subscript(annotation: Annotation) -> String? { annotations[annotation.rawValue] }
}

extension ObjectMeta: Decodable {
    private enum CodingKeys: String, CodingKey {
        case name, namespace, uid, labels, annotations, creationTimestamp, deletionTimestamp
    }

    public init(from decoder: any Decoder) throws {
        let fields = try decoder.container(keyedBy: CodingKeys.self)
        self.init(
            name: try fields.value(.name, default: ""),
            namespace: try fields.value(.namespace, default: ""),
            uid: try fields.decodeIfPresent(String.self, forKey: .uid),
            labels: Labels(try fields.strings(.labels)),
            annotations: Annotation.kept(of: try fields.strings(.annotations)),
            creationTimestamp: try fields.time(.creationTimestamp),
            deletionTimestamp: try fields.time(.deletionTimestamp))
    }
}
