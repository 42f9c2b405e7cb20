internal import YAML

/// Manifests in YAML.
///
/// Documents are parted before they are parsed, because a mistake ends the parser: so it spoils its own document and not those behind it.
enum YAMLDocuments {
    static func read(_ bytes: [UInt8]) -> [ManifestDocument] {
        guard let text = String(validating: bytes, as: UTF8.self) else {
            return [ManifestDocument(number: 1, line: 1, content: .unreadable("is not UTF-8 text"))]
        }
        return YAMLPieces.split(text).enumerated().map { index, piece in
            var line = piece.line
            let content: ManifestDocument.Content
            do {
                content = .item(try YAMLDocument.decode(piece.text, as: ManifestItem.self) ?? ManifestItem(.passedOver))
            } catch let refusal as YAMLRefusal {
                line += (refusal.line ?? 1) - 1
                content = .unreadable(refusal.isMalformed ? "is not valid YAML: \(refusal.message)" : refusal.message)
            } catch {
                content = .unreadable("is not valid YAML: \(error)")
            }
            return ManifestDocument(number: index + 1, line: line, content: content)
        }
    }
}
