import Foundation
import Kubernetes
import Subprocess
import YAML

/// The files under `deploy`.
enum Deployment {
    static let repository = String(#filePath.dropLast("/Tests/DeployTests/Deployment.swift".count))

    static func text(_ path: String) throws -> String {
        try String(contentsOfFile: "\(repository)/deploy/\(path)", encoding: .utf8)
    }

    /// The objects of a multi-document text.
    static func objects(in text: String) throws -> [YAMLValue] {
        try text.split(separator: "\n---\n").map { try YAMLValue(yaml: String($0)) }
    }

    static let hasKubectl = (ProcessInfo.processInfo.environment["PATH"] ?? "").split(separator: ":").contains {
        FileManager.default.isExecutableFile(atPath: "\($0)/kubectl")
    }

    struct Failure: Error {
        var what: String
    }

    /// The objects that `kubectl kustomize` renders from a folder of `deploy/kubernetes`.
    static func rendered(_ folder: String) async throws -> [YAMLValue] { try await kustomized("\(repository)/deploy/kubernetes/\(folder)") }

    /// The objects of a folder of `deploy/kubernetes` to whose kustomization components were added.
    static func rendered(_ folder: String, with components: [String]) async throws -> [YAMLValue] {
        let copy = FileManager.default.temporaryDirectory.appending(path: "kubernetes-\(UInt64.random(in: 0 ... .max))")
            .path(percentEncoded: false)
        try FileManager.default.copyItem(atPath: "\(repository)/deploy/kubernetes", toPath: copy)
        defer {
            // Leftover temporary files are harmless.
            try? FileManager.default.removeItem(atPath: copy)
        }
        let file = "\(copy)/\(folder)/kustomization.yaml"
        let added = "components: [\(components.map { "../\($0)" }.joined(separator: ", "))]\n"
        try (String(contentsOfFile: file, encoding: .utf8) + added).write(toFile: file, atomically: true, encoding: .utf8)
        return try await kustomized("\(copy)/\(folder)")
    }

    private static func kustomized(_ path: String) async throws -> [YAMLValue] {
        let result = try await run(
            .name("kubectl"), arguments: ["kustomize", path], output: .string(limit: 1 << 20), error: .string(limit: 1 << 16))
        guard result.terminationStatus.isSuccess else { throw Failure(what: result.standardError) }
        return try objects(in: result.standardOutput)
    }
}

extension YAMLValue {
    /// The value of a key; null if absent.
    subscript(key: String) -> YAMLValue {
        guard case .mapping(let entries) = self else { return .null }
        return entries.first { $0.key == key }?.value ?? .null
    }

    var items: [YAMLValue] {
        if case .list(let items) = self { items } else { [] }
    }

    /// The keys and values of a mapping, as text.
    var texts: [String: String] {
        guard case .mapping(let entries) = self else { return [:] }
        return Dictionary(uniqueKeysWithValues: entries.map { ($0.key, $0.value.text) })
    }

    /// The text, number or boolean as written; empty for anything else.
    var text: String {
        switch self {
        case .text(let text), .number(let text): text
        case .boolean(let value): "\(value)"
        case .null, .list, .mapping: ""
        }
    }
}
