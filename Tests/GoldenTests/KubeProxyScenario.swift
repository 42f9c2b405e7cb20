import Foundation
import Kubernetes
import Logging
import Model
import Testing
import Translation
import Manifests

/// A folder of what kube-proxy 1.36 left in a kernel: `Tests/Fixtures/kube-proxy-1.36/<scenario>`.
struct KubeProxyScenario: CustomTestStringConvertible {
    let name: String
    var testDescription: String { name }

    private static let fixtures = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent().appending(
        path: "Fixtures")
    private static let golden = fixtures.appending(path: "kube-proxy-1.36")

    private var folder: URL { KubeProxyScenario.golden.appending(path: name) }

    /// What kube-proxy left, or what is to be there instead where we differ on purpose.
    func text(_ file: String) throws -> String {
        let intended = KubeProxyScenario.fixtures.appending(path: "intended-differences").appending(path: name).appending(path: file)
        let isIntended = FileManager.default.fileExists(atPath: intended.path(percentEncoded: false))
        let source = isIntended ? intended : folder.appending(path: file)
        return try file.hasSuffix("tables") ? edited(source) : String(contentsOf: source, encoding: .utf8)
    }

    /// With the rules of ours that stand in every scenario: by sed, as the comparison on a kernel has them.
    private func edited(_ rules: URL) throws -> String {
        let script = KubeProxyScenario.fixtures.appending(path: "intended-differences").appending(path: "rules.sed")
        let (sed, output) = (Process(), Pipe())
        sed.executableURL = URL(filePath: "/usr/bin/env")
        sed.arguments = ["sed", "-f", script.path(percentEncoded: false), rules.path(percentEncoded: false)]
        sed.standardOutput = output
        try sed.run()
        let text = try output.fileHandleForReading.readToEnd() ?? Data()
        sed.waitUntilExit()
        guard sed.terminationStatus == 0 else { throw CocoaError(.executableLoad) }
        return String(decoding: text, as: UTF8.self)
    }

    func lines(_ file: String) throws -> [String] { try text(file).split(separator: "\n").map(String.init) }

    /// The flags kube-proxy was given besides those of all scenarios.
    func arguments() throws -> [String: String] {
        var flags: [String: String] = [:]
        for word in try text("args").split(whereSeparator: \.isWhitespace) {
            let parts = word.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
            flags[String(parts[0])] = parts.count > 1 ? String(parts[1]) : "true"
        }
        return flags
    }

    /// The scenario's objects and those that all scenarios have.
    func cluster() -> ClusterState {
        var cluster = ClusterState()
        for folder in [KubeProxyScenario.golden, folder] {
            let directory = ManifestDirectory(
                folder.path(percentEncoded: false), logger: Logger(label: "test") { _ in SwiftLogNoOpLogHandler() })
            directory.load()
            for change in directory.feed.take().changes { cluster.apply(change) }
        }
        return cluster
    }
}
