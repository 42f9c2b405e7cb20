import Foundation
import Testing

/// Checks that a build does not depend on its order: an import of a module that is no dependency fails if that module is not built yet.
@Suite struct `Imports` {
    private static let root = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent().deletingLastPathComponent()

    struct Target: CustomTestStringConvertible {
        let name: String
        let folder: String
        let dependencies: Set<String>

        var testDescription: String { name }
    }

    /// The targets that Package.swift declares.
    static func targets(of manifest: String) -> [Target] {
        manifest.matches(
            of:
                /\.(target|executableTarget|testTarget|systemLibrary)\(\s*name: "([^"]+)"(?:,\s*dependencies: \[([^\]]*)\])?(?:,\s*path: "([^"]+)")?/
        ).map { match in
            let name = String(match.2)
            let folder = match.4.map(String.init) ?? (match.1 == "testTarget" ? "Tests/\(name)" : "Sources/\(name)")
            let dependencies = match.3.map { $0.matches(of: /"([^"]+)"/).map { String($0.1) } } ?? []
            return Target(name: name, folder: folder, dependencies: Set(dependencies))
        }
    }

    static let all = (try? targets(of: String(contentsOf: root.appending(path: "Package.swift"), encoding: .utf8))) ?? []

    @Test(arguments: all) func `of this package's modules are declared as dependencies`(target: Target) throws {
        let modules = Set(Self.all.map { $0.name.replacing("-", with: "_") })
        let declared = Set(target.dependencies.map { $0.replacing("-", with: "_") })
        let folder = Self.root.appending(path: target.folder).path(percentEncoded: false)
        let paths = try #require(FileManager.default.enumerator(atPath: folder)).compactMap { $0 as? String }.filter {
            $0.hasSuffix(".swift")
        }
        for path in paths {
            let code = try String(contentsOfFile: "\(folder)/\(path)", encoding: .utf8)
            let missing = `Pure modules`.imports(in: code).intersection(modules).subtracting(declared)
            #expect(missing.sorted() == [], "\(target.folder)/\(path)")
        }
    }

    @Test func `are read from every target of the manifest`() {
        #expect(Self.all.count > 40)
        let scenarios = Self.all.first { $0.name == "IntegrationTests" }
        #expect(scenarios?.folder == "Integration/Scenarios")
        #expect(scenarios?.dependencies == ["KernelTestSupport"])
    }
}
