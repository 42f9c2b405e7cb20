import Foundation
import Kubernetes
import Logging
import Model
import Testing
import Translation
import Manifests

/// A folder with the kernel state that kube-proxy 1.36 created: `Tests/Fixtures/kube-proxy-1.36/<scenario>`.
struct KubeProxyScenario: CustomTestStringConvertible {
    let name: String
    var testDescription: String { name }

    private static let fixtures = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent().appending(
        path: "Fixtures")
    private static let golden = fixtures.appending(path: "kube-proxy-1.36")

    private var folder: URL { KubeProxyScenario.golden.appending(path: name) }

    /// Returns kube-proxy's kernel state, or the expected state where this program differs on purpose.
    func text(_ file: String) throws -> String {
        let intended = KubeProxyScenario.fixtures.appending(path: "intended-differences").appending(path: name).appending(path: file)
        let isIntended = FileManager.default.fileExists(atPath: intended.path(percentEncoded: false))
        let source = isIntended ? intended : folder.appending(path: file)
        return try file.hasSuffix("tables") ? edited(source) : String(contentsOf: source, encoding: .utf8)
    }

    /// Returns kube-proxy's rules with the rules that this program adds in every scenario, using the sed script of the comparison on a kernel.
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

    /// Returns the flags of kube-proxy besides those common to all scenarios.
    func arguments() throws -> [String: String] {
        var flags: [String: String] = [:]
        for word in try text("args").split(whereSeparator: \.isWhitespace) {
            let parts = word.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
            flags[String(parts[0])] = parts.count > 1 ? String(parts[1]) : "true"
        }
        return flags
    }

    /// Returns the scenario's objects and those common to all scenarios.
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
