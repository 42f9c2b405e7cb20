internal import Subprocess
internal import SystemPackage

extension ExecPlugin {
    /// Runs the program and reads what it printed; what it wrote to its standard error is in `complaint` or in the error.
    func run(information: String, timeLimit: Duration) async throws(AccessError) -> (credential: ExecCredential, complaint: String) {
        var updates: [Environment.Key: String?] = ["KUBERNETES_EXEC_INFO": information]
        for (name, value) in environment { updates[Environment.Key(stringLiteral: name)] = value }
        let executable: Executable = command.contains("/") ? .path(.init(command)) : .name(command)
        let environment = Environment.inherit.updating(updates)
        let arguments = Arguments(arguments)
        let outcome: Outcome
        do {
            outcome = try await withThrowingTaskGroup(of: Outcome.self) { group in
                group.addTask {
                    let result = try await Subprocess.run(
                        executable, arguments: arguments, environment: environment, output: .string(limit: 1 << 20),
                        error: .string(limit: 64 << 10))
                    return .ended(
                        isSuccess: result.terminationStatus.isSuccess, output: result.standardOutput, complaint: result.standardError)
                }
                group.addTask {
                    try await Task.sleep(for: timeLimit)
                    return .timedOut
                }
                // Whoever is second is cancelled, which ends the program.
                defer { group.cancelAll() }
                return try await group.next() ?? .timedOut
            }
        } catch {
            throw failure(installHint.map { "cannot be run: \(error): \($0)" } ?? "cannot be run: \(error)")
        }
        switch outcome {
        case .timedOut: throw failure("did not answer within \(timeLimit)")
        case .ended(let isSuccess, let output, let complaint):
            let complaint = complaint.split(separator: "\n").joined(separator: "; ")
            guard isSuccess else { throw failure("failed: \(complaint)") }
            return (try ExecCredential(json: Array(output.utf8), of: self), complaint)
        }
    }

    private enum Outcome {
        case ended(isSuccess: Bool, output: String, complaint: String)
        case timedOut
    }

    private func failure(_ message: String) -> AccessError { AccessError(source: "exec \(command)", message: message) }
}
