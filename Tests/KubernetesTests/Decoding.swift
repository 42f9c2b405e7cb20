import FoundationEssentials
import Testing

@testable import Kubernetes

/// Decodes the same object from JSON and from YAML: JSON is YAML too, so each text serves for both, and YAML of its own can be given.
func json<T: Decodable>(_ type: T.Type, _ text: String) throws -> T {
    try JSONDecoder().decode(type, from: Data(text.utf8))
}

func yaml<T: Decodable>(_ type: T.Type, _ text: String) throws -> T {
    try #require(try YAMLDocuments.decode(text, as: type))
}

func reading(_ text: String, file: String = "web.yaml") -> ManifestReading {
    ManifestReading(Array(text.utf8), file: file)
}
