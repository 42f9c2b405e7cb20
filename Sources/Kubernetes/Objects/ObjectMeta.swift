public import Model

/// The metadata of an object (`metadata`), only the fields in use.
public struct ObjectMeta: Hashable, Sendable {
    /// `metadata.name`
    public var name: String
    /// `metadata.namespace`; empty for objects without one, such as Nodes.
    public var namespace: String
    /// `metadata.uid`, for Services from the API; nil if not needed.
    public var uid: String?
    /// `metadata.labels`; for objects from the API other than Services, only those in use.
    public var labels: Labels
    /// `metadata.annotations`, only those in use (`Annotation`).
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

    /// The value of an annotation; nil if it is not set.
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

/// The labels of an object (`metadata.labels`), sorted by key.
///
/// A single string instead of a dictionary: ten thousand Services have some sixty thousand labels, which are rarely read.
public struct Labels: Hashable, Sendable {
    /// Each key and each value followed by NUL.
    private var text: String

    /// Omits labels that contain NUL, which are invalid.
    public init(_ labels: [String: String]) {
        text = ""
        for (key, value) in labels.sorted(by: { $0.key < $1.key }) where !key.utf8.contains(0) && !value.utf8.contains(0) {
            text += "\(key)\0\(value)\0"
        }
    }

    public var isEmpty: Bool { text.isEmpty }

    public subscript(key: String) -> String? {
        get {
            // Bytes and not strings, because it is read for each object and most labels are others.
            let (bytes, wanted) = (text.utf8Span.span, key.utf8Span.span)
            var start = 0
            while start < bytes.count {
                let keyEnd = Labels.end(bytes, from: start)
                let valueEnd = Labels.end(bytes, from: keyEnd + 1)
                if keyEnd - start == wanted.count, wanted.indices.allSatisfy({ bytes[start + $0] == wanted[$0] }) {
                    return String(decoding: text.utf8.dropFirst(keyEnd + 1).prefix(valueEnd - keyEnd - 1), as: UTF8.self)
                }
                start = valueEnd + 1
            }
            return nil
        }
        set {
            var labels = Dictionary(map { ($0.key, $0.value) }, uniquingKeysWith: { first, _ in first })
            labels[key] = newValue
            self = Labels(labels)
        }
    }

    /// The index of the NUL after a key or value.
    private static func end(_ bytes: Span<UInt8>, from start: Int) -> Int {
        var index = start
        while bytes[index] != 0 { index += 1 }
        return index
    }
}

extension Labels: ExpressibleByDictionaryLiteral {
    public init(dictionaryLiteral elements: (String, String)...) { self.init(Dictionary(elements) { $1 }) }
}

extension Labels: Sequence {
    public func makeIterator() -> AnyIterator<(key: String, value: String)> {
        var rest = text.utf8[...]
        func next() -> String? {
            guard let end = rest.firstIndex(of: 0) else { return nil }
            defer { rest = rest[rest.index(after: end)...] }
            return String(Substring(rest[..<end]))
        }
        return AnyIterator {
            guard let key = next(), let value = next() else { return nil }
            return (key, value)
        }
    }
}
