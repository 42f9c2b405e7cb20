import FoundationEssentials
import Testing
import YAML

/// Decodes an object from JSON. JSON is also valid YAML, so `yaml` can decode the same text.
func json<T: Decodable>(_ type: T.Type, _ text: String) throws -> T {
    try JSONDecoder().decode(type, from: Data(text.utf8))
}

func yaml<T: Decodable>(_ type: T.Type, _ text: String) throws -> T {
    try #require(try YAMLDocument.decode(text, as: type))
}
