import Glibc
import Subprocess
import Testing

/// Runs other people's tools, which judge what the proxy left in the kernel.
enum Shell {
    struct Failure: Error, CustomStringConvertible {
        var script: String
        var output: String
        var description: String { "\(script)\n\(output)" }
    }

    struct Result {
        var succeeded: Bool
        /// Both outputs, without the last line's end.
        var output: String
    }

    /// Runs a script with the functions of `Integration/topology.sh`.
    static func attempt(_ script: String) async throws -> Result {
        let prologue = "set -euo pipefail; source '\(Place.repository)/Integration/topology.sh'; exec 2>&1; "
        let result = try await run(
            .name("bash"), arguments: ["-c", prologue + script], output: .string(limit: 16 << 20), error: .string(limit: 1 << 16))
        let text = result.standardOutput + result.standardError
        return Result(succeeded: result.terminationStatus.isSuccess, output: text.hasSuffix("\n") ? String(text.dropLast()) : text)
    }

    /// The output of a script that has to succeed.
    @discardableResult
    static func output(_ script: String) async throws -> String {
        let result = try await attempt(script)
        guard result.succeeded else { throw Failure(script: script, output: result.output) }
        return result.output
    }

    /// The output of a command in a network namespace.
    @discardableResult
    static func output(in namespace: String, _ command: String) async throws -> String {
        try await output("ip netns exec \(namespace) bash -euc \(quoted(command))")
    }

    static func quoted(_ text: String) -> String { "'" + text.replacing("'", with: "'\\''") + "'" }
}

/// Where things lie.
enum Place {
    /// The repository, from this file's place in it.
    static let repository = String(#filePath.dropLast("/Integration/Scenarios/Shell.swift".count))

    static let proxy = environment("KUBE_IPVS_PROXY") ?? "\(repository)/.build/debug/kube-ipvs-proxy"
    static let traffic = environment("TRAFFIC") ?? "\(repository)/.build/debug/traffic"
    /// Manifests, logs and state of the scenarios; a file system in memory.
    static let scratch = "/run/scenarios"
    static let manifests = "\(scratch)/manifests"
    static let state = "\(scratch)/state"
    static let apiserver = environment("APISERVER") ?? "\(repository)/.build/debug/apiserver"
    /// Certificates, token and kubeconfig of the API server.
    static let api = "\(scratch)/api"
    static let kubeconfig = "\(api)/kubeconfig"
    static let log = "\(scratch)/proxy.log"

    static func environment(_ name: String) -> String? {
        getenv(name).map { String(cString: $0) }
    }

    /// Set by `make integration`: these tests make network namespaces and programs of their own and belong on a kernel that is theirs.
    static var isKernelOurs: Bool { environment("KUBE_IPVS_SCENARIOS") == "1" }
}
