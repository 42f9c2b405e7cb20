/// The rules by which the API reads fields that are numbers and words, as the JSON forms have them.
enum ProtobufField {
    /// A port number, 0…65535; whether 0 may stand there is for others to say.
    static func port(_ number: Int32, _ field: String) throws(WireError) -> UInt16 {
        guard let port = UInt16(exactly: number) else { throw WireError(field: field, message: "must be a port, 1 to 65535") }
        return port
    }

    /// One of a few words; absent and empty are the default.
    static func choice<T: RawRepresentable & CaseIterable>(_ text: String, _ field: String, default fallback: T) throws(WireError) -> T
    where T.RawValue == String {
        text.isEmpty ? fallback : try word(text, field)
    }

    /// One of a few words.
    static func word<T: RawRepresentable & CaseIterable>(_ text: String, _ field: String) throws(WireError) -> T
    where T.RawValue == String {
        guard let value = T(rawValue: text) else {
            throw WireError(field: field, message: "must be one of " + T.allCases.map(\.rawValue).joined(separator: ", "))
        }
        return value
    }

    /// Each of a list; what is wrong with one is told at its place.
    static func each<M, T>(_ messages: [M], _ field: String, _ read: (M) throws(WireError) -> T) throws(WireError) -> [T] {
        var values: [T] = []
        values.reserveCapacity(messages.count)
        for (index, message) in messages.enumerated() {
            do {
                values.append(try read(message))
            } catch {
                throw error.inside("\(field)[\(index)]")
            }
        }
        return values
    }
}
