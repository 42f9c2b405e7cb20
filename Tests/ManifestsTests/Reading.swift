import Testing
import YAML

@testable import Manifests

func reading(_ text: String, file: String = "web.yaml") -> ManifestReading {
    ManifestReading(Array(text.utf8), file: file)
}

func yaml<T: Decodable>(_ type: T.Type, _ text: String) throws -> T {
    try #require(try YAMLDocument.decode(text, as: type))
}
