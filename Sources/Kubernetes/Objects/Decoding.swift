internal import Text

/// Decodes optional fields by the rules of the API: absent, null and empty are equivalent.
extension KeyedDecodingContainer {
    package func value<T: Decodable>(_ key: Key, default fallback: T) throws -> T {
        try decodeIfPresent(T.self, forKey: key) ?? fallback
    }

    package func list<T: Decodable>(_ key: Key, of type: T.Type = T.self) throws -> [T] {
        try decodeIfPresent([T].self, forKey: key) ?? []
    }

    /// A map of strings; a null value is an empty string.
    package func strings(_ key: Key) throws -> [String: String] {
        (try decodeIfPresent([String: String?].self, forKey: key) ?? [:]).mapValues { $0 ?? "" }
    }

    /// A port number, 0…65535; validation decides whether 0 is allowed.
    package func port(_ key: Key) throws -> UInt16? {
        guard let number = try decodeIfPresent(Int.self, forKey: key) else { return nil }
        guard let port = UInt16(exactly: number) else {
            throw DecodingError.dataCorruptedError(forKey: key, in: self, debugDescription: "must be a port, 1 to 65535")
        }
        return port
    }

    /// A time in RFC 3339.
    func time(_ key: Key) throws -> Time? {
        guard let text = try decodeIfPresent(String.self, forKey: key) else { return nil }
        guard let time = Time(text) else {
            throw DecodingError.dataCorruptedError(forKey: key, in: self, debugDescription: "must be a time like 2026-01-01T00:00:00Z")
        }
        return time
    }

    /// One of a set of values; absent and empty are the default.
    package func choice<T: RawRepresentable & CaseIterable>(_ key: Key, default fallback: T) throws -> T where T.RawValue == String {
        guard let text = try decodeIfPresent(String.self, forKey: key), !text.isEmpty else { return fallback }
        guard let value = T(rawValue: text) else {
            throw DecodingError.dataCorruptedError(forKey: key, in: self, debugDescription: choiceMessage(T.self))
        }
        return value
    }

    /// A list of values, each one of a set.
    package func choices<T: RawRepresentable & CaseIterable>(_ key: Key, of type: T.Type = T.self) throws -> [T]
    where T.RawValue == String {
        try list(key, of: String.self).enumerated().map { index, text in
            guard let value = T(rawValue: text) else {
                throw DecodingError.dataCorrupted(
                    .init(codingPath: codingPath + [key, FieldKey(index: index)], debugDescription: choiceMessage(T.self)))
            }
            return value
        }
    }

    /// The name of the Pod in an object reference; nil if it does not refer to a Pod.
    package func pod(_ key: Key) throws -> String? {
        guard let target = try nested(TargetKeys.self, key), try target.value(.kind, default: "Pod") == "Pod" else { return nil }
        return try target.decodeIfPresent(String.self, forKey: .name)
    }

    /// The container of a field that may be absent or null.
    package func nested<NestedKey: CodingKey>(_ type: NestedKey.Type, _ key: Key) throws -> KeyedDecodingContainer<NestedKey>? {
        guard contains(key), try !decodeNil(forKey: key) else { return nil }
        return try nestedContainer(keyedBy: type, forKey: key)
    }
}

private enum TargetKeys: String, CodingKey { case kind, name }

private func choiceMessage<T: RawRepresentable & CaseIterable>(_ type: T.Type) -> String where T.RawValue == String {
    "must be one of " + T.allCases.map(\.rawValue).joined(separator: ", ")
}

/// A port by number or by the name that a container gives it (`Service.spec.ports[].targetPort`).
public enum IntOrString: Hashable, Sendable, CustomStringConvertible {
    case number(UInt16)
    case name(String)

    public var description: String {
        switch self {
        case .number(let number): "\(number)"
        case .name(let name): name
        }
    }
}

extension IntOrString: Decodable {
    public init(from decoder: any Decoder) throws {
        let container = try decoder.singleValueContainer()
        let number: Int
        do {
            number = try container.decode(Int.self)
        } catch {
            // Not a number: decode the other form, whose error is the more useful one.
            self = .name(try container.decode(String.self))
            return
        }
        guard let port = UInt16(exactly: number) else {
            throw DecodingError.dataCorruptedError(in: container, debugDescription: "must be a port, 1 to 65535, or the name of one")
        }
        self = .number(port)
    }
}
