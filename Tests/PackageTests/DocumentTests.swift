import Foundation
import Testing

/// Pages that name the tests which verify what they say.
@Suite struct `The page` {
    private static let root = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent().deletingLastPathComponent()

    @Test(arguments: ["docs/threat-model.md", "docs/architecture.md"])
    func `names only files of the repository that exist`(page: String) throws {
        let text = try String(contentsOf: Self.root.appending(path: page), encoding: .utf8)
        let paths = text.matches(of: /`((?:Tests|Integration|deploy|docs)\/[^`*\s]+)`/).map { String($0.1) }
        #expect(!paths.isEmpty)
        for path in paths {
            #expect(FileManager.default.fileExists(atPath: Self.root.appending(path: path).path(percentEncoded: false)), "\(path)")
        }
    }
}
