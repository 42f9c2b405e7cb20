import Subprocess

/// Runs independent tools, which verify the kernel state of the proxy.
package enum Shell {
    package struct Failure: Error, CustomStringConvertible {
        package var script: String
        package var output: String

        package init(script: String, output: String) {
            self.script = script
            self.output = output
        }

        package var description: String { "\(script)\n\(output)" }
    }

    package struct Result {
        package var succeeded: Bool
        /// Standard output and error, without the final newline.
        package var output: String
    }

    /// Runs a script with the functions of `Integration/topology.sh`.
    package static func attempt(_ script: String) async throws -> Result {
        let prologue = "set -euo pipefail; source '\(Place.repository)/Integration/topology.sh'; exec 2>&1; "
        let result = try await run(
            .name("bash"), arguments: ["-c", prologue + script], output: .string(limit: 16 << 20), error: .string(limit: 1 << 16))
        let text = result.standardOutput + result.standardError
        return Result(succeeded: result.terminationStatus.isSuccess, output: text.hasSuffix("\n") ? String(text.dropLast()) : text)
    }

    /// Returns the output of a script, which must succeed.
    @discardableResult
    package static func output(_ script: String) async throws -> String {
        let result = try await attempt(script)
        guard result.succeeded else { throw Failure(script: script, output: result.output) }
        return result.output
    }

    /// Returns the output of a command in a network namespace, which must succeed.
    @discardableResult
    package static func output(in namespace: String, _ command: String) async throws -> String {
        try await output("ip netns exec \(namespace) bash -euc \(quoted(command))")
    }

    package static func quoted(_ text: String) -> String { "'" + text.replacing("'", with: "'\\''") + "'" }
}
