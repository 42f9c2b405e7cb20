/// The selectors of a list or a watch.
struct ObjectSelector: Sendable {
    /// Nil for all namespaces.
    var namespace: String?
    var labels: [Requirement] = []
    var fields: [Requirement] = []

    init(namespace: String? = nil) {
        self.namespace = namespace
    }

    /// - Parameter minorVersion: the minor version of Kubernetes.
    init(
        _ resource: ServerResource, namespace: String?, labels: String?, fields: String?, minorVersion: Int = 36
    ) throws(TestStatus) {
        self.namespace = namespace
        self.labels = try ObjectSelector.requirements(labels)
        self.fields = try ObjectSelector.requirements(fields)
        // Field selectors of Services exist from 1.31 on.
        let hasFields = minorVersion >= 31 || resource.plural != "services"
        let known = ["metadata.name", "metadata.namespace"] + (hasFields ? resource.selectableFields : [])
        for field in self.fields where !known.contains(field.key) {
            let message =
                hasFields
                ? "field label not supported: \(field.key)"
                : "\"\(field.key)\" is not a known field selector: only \"metadata.name\", \"metadata.namespace\""
            throw TestStatus(400, reason: "BadRequest", message: message)
        }
    }

    func matches(_ object: StoredObject) -> Bool {
        (namespace == nil || namespace == object.namespace) && labels.allSatisfy { $0.holds(object.labels[$0.key]) }
            && fields.allSatisfy { $0.holds(object.fields[$0.key]) }
    }

    private static func requirements(_ text: String?) throws(TestStatus) -> [Requirement] {
        var requirements: [Requirement] = []
        for part in (text ?? "").split(separator: ",") {
            guard let requirement = Requirement(part) else {
                throw TestStatus(400, reason: "BadRequest", message: "unable to parse requirement: \(part)")
            }
            requirements.append(requirement)
        }
        return requirements
    }
}
