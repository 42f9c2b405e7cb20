import Foundation
import Testing

/// Checks that the pure modules do no I/O and read no clock.
@Suite struct `Pure modules` {
    /// The modules that each may import and depend on. `Synchronization` guards memory and does no I/O; `Algorithms` and
    /// `OrderedCollections` are of collections.
    private static let allowed: [String: Set<String>] = [
        "Model": ["Algorithms"],
        "Text": [],
        "Kubernetes": ["Model", "Text", "Algorithms", "Synchronization"],
        "Translation": ["Model", "Kubernetes", "Text", "OrderedCollections"],
        "Reconciler": ["Model"],
        "StatusAPI": ["Model", "Text"],
        // Dates are values; a heap is memory.
        "SyncLoop": ["Model", "Kubernetes", "Translation", "Reconciler", "StatusAPI", "FoundationEssentials", "HeapModule"],
    ]
    /// Names of the standard library, which needs no import.
    private static let forbiddenWords = ["ContinuousClock", "SuspendingClock", "Task.sleep", "print(", "readLine("]

    private static let root = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent().deletingLastPathComponent()

    /// The code of a module's files, by path.
    private static func files(of module: String) throws -> [String: String] {
        let folder = root.appending(path: "Sources/\(module)").path(percentEncoded: false)
        let paths = try #require(FileManager.default.enumerator(atPath: folder)).compactMap { $0 as? String }.filter {
            $0.hasSuffix(".swift")
        }
        return try Dictionary(uniqueKeysWithValues: paths.map { ($0, try String(contentsOfFile: "\(folder)/\($0)", encoding: .utf8)) })
    }

    /// The modules that a file imports, however it does so: `public import struct Foundation.Data` too.
    static func imports(in code: String) -> Set<String> {
        Set(
            code.matches(of: /(?m)^[^\/\n"]*\bimport\s+(?:(?:struct|class|enum|protocol|typealias|func|let|var)\s+)?(\w+)/).map {
                String($0.1)
            })
    }

    @Test(arguments: allowed.keys.sorted()) func `import nothing that does I/O`(module: String) throws {
        let files = try Self.files(of: module)
        #expect(!files.isEmpty)
        for (path, code) in files {
            #expect(Self.imports(in: code).subtracting(Self.allowed[module] ?? []).sorted() == [], "Sources/\(module)/\(path)")
        }
    }

    @Test(arguments: allowed.keys.sorted()) func `use no clock and print nothing`(module: String) throws {
        for (path, code) in try Self.files(of: module) {
            #expect(Self.forbiddenWords.filter { code.contains($0) } == [], "Sources/\(module)/\(path)")
        }
    }

    @Test(arguments: allowed.keys.sorted()) func `depend only on each other`(module: String) throws {
        let manifest = try String(contentsOf: Self.root.appending(path: "Package.swift"), encoding: .utf8)
        let target = try #require(
            manifest.firstMatch(of: try Regex(#"\.target\(\s*name: "\#(module)"(?:,\s*dependencies: \[([^\]]*)\])?\s*\)"#)))
        let dependencies = target.output[1].substring.map { $0.matches(of: /"(\w+)"/).map { String($0.1) } } ?? []
        #expect(Set(dependencies).subtracting(Self.allowed[module] ?? []).sorted() == [])
    }

    @Test(
        arguments: [
            ("import Glibc", "Glibc"), ("public import Foundation", "Foundation"), ("@preconcurrency internal import Yams", "Yams"),
            ("\n    import struct Dispatch.DispatchTime", "Dispatch"), ("// import Glibc", nil), ("let important = 1", nil),
        ] as [(String, String?)]) func `are checked for every form of import`(code: String, module: String?)
    {
        #expect(Self.imports(in: code) == Set([module].compactMap(\.self)))
    }
}
