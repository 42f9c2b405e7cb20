internal import Kubernetes

/// Labels and annotations as a manifest has them; of most annotations nothing is kept.
struct MetadataAsWritten: Decodable {
    /// `metadata.labels`
    var labels: [String: String] = [:]
    /// `metadata.annotations`
    var annotations: [String: String] = [:]

    private enum CodingKeys: String, CodingKey { case metadata }
    private enum MetadataKeys: String, CodingKey { case labels, annotations }

    init(from decoder: any Decoder) throws {
        let fields = try decoder.container(keyedBy: CodingKeys.self)
        guard let metadata = try fields.nested(MetadataKeys.self, .metadata) else { return }
        labels = try metadata.strings(.labels)
        annotations = try metadata.strings(.annotations)
    }
}

extension ManifestValidation {
    /// Bytes of all annotations of an object, keys and values.
    private static let annotationLimit = 256 << 10

    static func problems(of metadata: MetadataAsWritten) -> [FieldProblem] {
        var problems = labelProblems(metadata.labels, "metadata.labels")
        for key in metadata.annotations.keys.sorted() where !NameSyntax.isQualifiedName(key.lowercased()) {
            problems.append(FieldProblem("metadata.annotations", key, "is no key of an annotation: \(qualifiedNameRule)"))
        }
        if metadata.annotations.reduce(0, { $0 + $1.key.utf8.count + $1.value.utf8.count }) > annotationLimit {
            problems.append(FieldProblem("metadata.annotations", nil, "must have at most \(annotationLimit) bytes in all"))
        }
        return problems
    }
}
