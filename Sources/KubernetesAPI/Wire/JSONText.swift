internal import FoundationEssentials

/// JSON as bytes.
enum JSONText {
    static func decode<T: Decodable>(_ type: T.Type, from bytes: Data) throws(WireError) -> T {
        do {
            return try JSONDecoder().decode(type, from: bytes)
        } catch {
            throw WireError(error)
        }
    }
}
