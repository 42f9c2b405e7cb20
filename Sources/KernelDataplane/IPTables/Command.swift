internal import Subprocess

/// Runs a program of the system and waits for it; for the few things that have no interface but a program.
enum Command {
    struct Result {
        var succeeded: Bool
        var output: String
        /// What it wrote to its standard error, in one line.
        var complaint: String
    }

    /// Listings of nodes with other people's rules are long; more than this is refused rather than held in memory.
    private static let outputLimit = 64 << 20

    /// A program that takes longer hangs, and is ended.
    private static let timeLimit = Duration.seconds(60)

    /// Fails only where the program could not be started or did not end; its own failure is in the result.
    static func run(_ name: String, _ arguments: [String], input: String = "") async throws(DataplaneError) -> Result {
        // Of its own, so that it is not ended with the task that asked for it: iptables-restore stopped half way leaves one table changed and not the other.
        let running = Task { try await runLimited(name, arguments, input: input) }
        do {
            return try await running.value
        } catch let error as DataplaneError {
            throw error
        } catch {
            throw DataplaneError(name, "cannot run it: \(error)")
        }
    }

    private static func runLimited(_ name: String, _ arguments: [String], input: String) async throws -> Result {
        try await withThrowingTaskGroup(of: Result.self) { group in
            group.addTask { try await runUnlimited(name, arguments, input: input) }
            group.addTask {
                try await Task.sleep(for: timeLimit)
                throw DataplaneError(name, "it did not end within \(timeLimit)")
            }
            defer { group.cancelAll() }
            guard let first = try await group.next() else { throw DataplaneError(name, "it did not run") }
            return first
        }
    }

    private static func runUnlimited(_ name: String, _ arguments: [String], input: String) async throws(DataplaneError) -> Result {
        do {
            let result = try await Subprocess.run(
                .name(name), arguments: Arguments(arguments), input: .string(input), output: .string(limit: outputLimit),
                error: .string(limit: 1 << 16))
            let complaint = result.standardError.split(separator: "\n").joined(separator: "; ")
            return Result(succeeded: result.terminationStatus.isSuccess, output: result.standardOutput, complaint: complaint)
        } catch {
            throw DataplaneError(name, "cannot run it: \(error)")
        }
    }
}
