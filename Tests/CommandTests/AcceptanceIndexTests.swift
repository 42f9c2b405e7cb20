import FoundationEssentials
import Testing

/// The table of kube-proxy's cases refers to tests by file and name: the references must stay valid.
@Suite struct `The table of acceptance cases` {
    private static let repository = String(#filePath.dropLast("/Tests/CommandTests/AcceptanceIndexTests.swift".count))

    /// The sources of all tests by file name without extension.
    private static func sources() throws -> [String: String] {
        var sources: [String: String] = [:]
        for folder in ["Tests", "Integration"] {
            let root = "\(repository)/\(folder)"
            for path in try FileManager.default.subpathsOfDirectory(atPath: root) where path.hasSuffix("Tests.swift") {
                guard let name = path.split(separator: "/").last?.dropLast(".swift".count) else { continue }
                sources[String(name), default: ""] += try String(contentsOfFile: "\(root)/\(path)", encoding: .utf8)
            }
        }
        return sources
    }

    @Test func `refers only to tests that exist`() throws {
        let table = try String(contentsOfFile: "\(Self.repository)/docs/acceptance-cases.md", encoding: .utf8)
        let sources = try Self.sources()
        let references = table.matches(of: /`([A-Za-z]+Tests)` \*([^*|]+)\*/)
        #expect(references.count > 60)
        for reference in references {
            let (file, name) = (String(reference.1), String(reference.2))
            #expect(sources[file]?.contains("func `\(name)`") == true, "\(file): \(name)")
        }
    }
}
