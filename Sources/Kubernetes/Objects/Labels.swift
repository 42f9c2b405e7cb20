/// The labels of an object (`metadata.labels`), in the order of their keys.
///
/// One piece of text and not a table: ten thousand Services have some sixty thousand of them, and hardly ever is one looked at.
public struct Labels: Hashable, Sendable {
    /// Each key and each value with a NUL behind it.
    private var text: String

    /// One with a NUL in it, which is no label, is left out.
    public init(_ labels: [String: String]) {
        text = ""
        for (key, value) in labels.sorted(by: { $0.key < $1.key }) where !key.utf8.contains(0) && !value.utf8.contains(0) {
            text += "\(key)\0\(value)\0"
        }
    }

    public var isEmpty: Bool { text.isEmpty }

    public subscript(key: String) -> String? {
        get { first { $0.key == key }?.value }
        set {
            var labels = Dictionary(map { ($0.key, $0.value) }, uniquingKeysWith: { first, _ in first })
            labels[key] = newValue
            self = Labels(labels)
        }
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
