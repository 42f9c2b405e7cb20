internal import Text
internal import Yams

/// Decodes a YAML node as kubectl does: an unquoted word has its YAML 1.1 type, and only text decodes as text.
///
/// `name: on` is a boolean and `app: 1` a number; neither is a valid name or label value, and the API server rejects both.
struct YAMLNodeDecoder: Decoder {
    let node: Yams.Node
    /// The path of the mapping or list that contains the node.
    var parentPath: [any CodingKey] = []
    /// The key or index in it; nil at the root.
    var key: (any CodingKey)?
    /// Only containers and errors need it.
    var codingPath: [any CodingKey] { key.map { parentPath + [$0] } ?? parentPath }
    var userInfo: [CodingUserInfoKey: Any] { [:] }

    func container<Key: CodingKey>(keyedBy type: Key.Type) throws -> KeyedDecodingContainer<Key> {
        guard case .mapping(let mapping) = node else { throw mismatch([String: Any].self) }
        return KeyedDecodingContainer(YAMLFields<Key>(nodes: try fields(of: mapping), codingPath: codingPath))
    }

    func unkeyedContainer() throws -> any UnkeyedDecodingContainer {
        guard case .sequence(let sequence) = node else { throw mismatch([Any].self) }
        return YAMLElements(nodes: sequence, codingPath: codingPath)
    }

    func singleValueContainer() -> any SingleValueDecodingContainer { self }

    /// A scalar as written in the file; nil for null, lists and mappings.
    fileprivate var sourceText: String? {
        guard case .scalar(let scalar) = node, value != .null else { return nil }
        return scalar.string
    }

    /// The typed value of a scalar; nil for lists and mappings.
    private var value: YAMLValue? {
        guard case .scalar(let scalar) = node else { return nil }
        switch scalar.tag.rawValue {
        case "tag:yaml.org,2002:str": return .text(scalar.string)
        case "tag:yaml.org,2002:bool", "tag:yaml.org,2002:int", "tag:yaml.org,2002:float", "tag:yaml.org,2002:null":
            return YAMLValue(plain: scalar.string)
        default: return scalar.style == .plain ? YAMLValue(plain: scalar.string) : .text(scalar.string)
        }
    }

    /// Returns the values of a mapping by key; its merge key (`<<`) supplies those that it lacks.
    private func fields(of mapping: Yams.Node.Mapping) throws -> [String: Yams.Node] {
        var fields: [String: Yams.Node] = [:]
        var merged: [Yams.Node] = []
        fields.reserveCapacity(mapping.count)
        for (key, value) in mapping {
            guard case .scalar(let scalar) = key else { throw invalidKey }
            guard scalar.style == .plain else {
                fields[scalar.string] = value
                continue
            }
            if scalar.string == "<<" {
                merged += value.sequence.map(Array.init) ?? [value]
                continue
            }
            // A key that is not text becomes text, as in the conversion to JSON.
            switch YAMLValue(plain: scalar.string) {
            case .boolean(let flag): fields["\(flag)"] = value
            case .number(let text): fields[YAMLNumber(text)?.description ?? text] = value
            case .null: throw invalidKey
            default: fields[scalar.string] = value
            }
        }
        for source in merged {
            guard case .mapping(let mapping) = source else {
                throw DecodingError.dataCorrupted(
                    .init(codingPath: codingPath + [FieldKey("<<")], debugDescription: "must be a mapping, or a list of them"))
            }
            fields.merge(try self.fields(of: mapping)) { own, _ in own }
        }
        return fields
    }

    private var invalidKey: DecodingError {
        .dataCorrupted(.init(codingPath: codingPath, debugDescription: "has a key that is not text"))
    }

    fileprivate func mismatch(_ type: Any.Type) -> DecodingError {
        .typeMismatch(type, .init(codingPath: codingPath, debugDescription: ""))
    }
}

extension YAMLDocument {
    /// Returns the scalar at a decoder's position as written in the file; nil for anything else, and for decoders of other formats.
    public static func sourceText(at decoder: any Decoder) -> String? { (decoder as? YAMLNodeDecoder)?.sourceText }
}

extension YAMLNodeDecoder: SingleValueDecodingContainer {
    func decodeNil() -> Bool { value == .null }

    func decode<T: Decodable>(_ type: T.Type) throws -> T {
        let read: Any?
        switch type {
        case is String.Type: read = try text()
        case is Bool.Type: if case .boolean(let flag) = value { read = flag } else { read = nil }
        case let type as any FixedWidthInteger.Type: read = number.flatMap { whole($0, type) }
        case is Double.Type: read = number?.double
        case is Float.Type: read = number.map { Float($0.double) }
        default: return try T(from: self)
        }
        guard let result = read as? T else {
            throw value == .null ? DecodingError.valueNotFound(type, .init(codingPath: codingPath, debugDescription: "")) : mismatch(type)
        }
        return result
    }

    private func whole<T: FixedWidthInteger>(_ number: YAMLNumber, _ type: T.Type) -> (any FixedWidthInteger)? { number.whole(type) }

    private var number: YAMLNumber? {
        guard case .number(let text) = value else { return nil }
        return YAMLNumber(text)
    }

    private func text() throws -> String? {
        switch value {
        case .text(let text): return text
        case .boolean, .number:
            let kind = value?.kind ?? ""
            throw DecodingError.dataCorrupted(
                .init(codingPath: codingPath, debugDescription: "must be text: without quotes it is \(kind) in YAML"))
        default: return nil
        }
    }
}

private struct YAMLFields<Key: CodingKey>: KeyedDecodingContainerProtocol {
    let nodes: [String: Yams.Node]
    let codingPath: [any CodingKey]

    var allKeys: [Key] { nodes.keys.compactMap { Key(stringValue: $0) } }

    func contains(_ key: Key) -> Bool { nodes[key.stringValue] != nil }
    func decodeNil(forKey key: Key) throws -> Bool { try decoder(key).decodeNil() }
    func decode<T: Decodable>(_ type: T.Type, forKey key: Key) throws -> T { try decoder(key).decode(type) }
    func decodeIfPresent<T: Decodable>(_ type: T.Type, forKey key: Key) throws -> T? { try present(type, key) }
    func decodeIfPresent(_ type: String.Type, forKey key: Key) throws -> String? { try present(type, key) }
    func decodeIfPresent(_ type: Bool.Type, forKey key: Key) throws -> Bool? { try present(type, key) }
    func decodeIfPresent(_ type: Int.Type, forKey key: Key) throws -> Int? { try present(type, key) }
    func superDecoder() throws -> any Decoder { try decoder(FieldKey("super")) }
    func superDecoder(forKey key: Key) throws -> any Decoder { try decoder(key) }
    func nestedUnkeyedContainer(forKey key: Key) throws -> any UnkeyedDecodingContainer { try decoder(key).unkeyedContainer() }

    func nestedContainer<NestedKey: CodingKey>(keyedBy type: NestedKey.Type, forKey key: Key) throws -> KeyedDecodingContainer<NestedKey> {
        try decoder(key).container(keyedBy: type)
    }

    /// The value of a field; nil if it is absent or null. It is found once, and not three times as by default.
    private func present<T: Decodable>(_ type: T.Type, _ key: Key) throws -> T? {
        guard let node = nodes[key.stringValue] else { return nil }
        let decoder = YAMLNodeDecoder(node: node, parentPath: codingPath, key: key)
        return decoder.decodeNil() ? nil : try decoder.decode(type)
    }

    private func decoder(_ key: some CodingKey) throws -> YAMLNodeDecoder {
        guard let node = nodes[key.stringValue] else {
            throw DecodingError.keyNotFound(key, .init(codingPath: codingPath, debugDescription: "is required"))
        }
        return YAMLNodeDecoder(node: node, parentPath: codingPath, key: key)
    }
}

private struct YAMLElements: UnkeyedDecodingContainer {
    let nodes: Yams.Node.Sequence
    let codingPath: [any CodingKey]
    var currentIndex = 0

    var count: Int? { nodes.count }
    var isAtEnd: Bool { currentIndex >= nodes.count }

    mutating func decodeNil() throws -> Bool {
        guard try current().decodeNil() else { return false }
        currentIndex += 1
        return true
    }

    mutating func decode<T: Decodable>(_ type: T.Type) throws -> T { try next { try $0.decode(type) } }
    mutating func superDecoder() throws -> any Decoder { try next { $0 } }
    mutating func nestedUnkeyedContainer() throws -> any UnkeyedDecodingContainer { try next { try $0.unkeyedContainer() } }

    mutating func nestedContainer<NestedKey: CodingKey>(keyedBy type: NestedKey.Type) throws -> KeyedDecodingContainer<NestedKey> {
        try next { try $0.container(keyedBy: type) }
    }

    private mutating func next<T>(_ read: (YAMLNodeDecoder) throws -> T) throws -> T {
        let result = try read(current())
        currentIndex += 1
        return result
    }

    private func current() throws -> YAMLNodeDecoder {
        let key = FieldKey(index: currentIndex)
        guard !isAtEnd else {
            throw DecodingError.valueNotFound(
                Any.self, .init(codingPath: codingPath + [key], debugDescription: "there is no further element"))
        }
        return YAMLNodeDecoder(node: nodes[currentIndex], parentPath: codingPath, key: key)
    }
}
