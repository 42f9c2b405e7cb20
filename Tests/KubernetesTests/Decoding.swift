import FoundationEssentials
import Testing
import YAML

/// Decodes the same object from JSON and from YAML: JSON is YAML too, so each text serves for both, and YAML of its own can be given.
func json<T: Decodable>(_ type: T.Type, _ text: String) throws -> T {
    try JSONDecoder().decode(type, from: Data(text.utf8))
}

func yaml<T: Decodable>(_ type: T.Type, _ text: String) throws -> T {
    try #require(try YAMLDocument.decode(text, as: type))
}
