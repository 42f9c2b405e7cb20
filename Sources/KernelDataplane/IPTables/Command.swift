internal import Subprocess

/// Runs a program of the system and waits for it; for the few things that have no interface but a program.
enum Command {
    struct Result: Hashable {
        /// Nil where a signal ended it.
        var exitCode: Int32?
        var output: String
        /// What it wrote to its standard error, in one line.
        var standardError: String

        var succeeded: Bool { exitCode == 0 }
    }

    /// What came of an attempt to run a program.
    enum Attempt: Hashable {
        case ran(Result)
        /// There is no such program, or it is none.
        case notFound
        /// It could not be started for now, or did not end in time.
        case notRun(reason: String)
    }

    /// Listings of nodes with other people's rules are long; more than this is refused rather than held in memory.
    private static let outputLimit = 64 << 20

    /// A program that takes longer hangs, and is ended.
    private static let timeLimit = Duration.seconds(60)

    /// Runs a program that changes nothing: it is ended with the task that asks.
    static func ask(_ name: String, _ arguments: [String], input: String = "") async -> Attempt {
        do {
            return .ran(try await runLimited(name, arguments, input: input))
        } catch let error as SubprocessError where error.code == .executableNotFound {
            return .notFound
        } catch let error as DataplaneError {
            return .notRun(reason: error.reason)
        } catch {
            return .notRun(reason: "failed to run: \(error)")
        }
    }

    /// Runs a program to its end.
    ///
    /// Fails only where the program could not be started or did not end; its own failure is in the result.
    static func run(_ name: String, _ arguments: [String], input: String = "") async throws(DataplaneError) -> Result {
        // Of its own, so that it is not ended with the task that asked for it: iptables-restore stopped half way leaves one table changed and not the other.
        let running = Task { await ask(name, arguments, input: input) }
        switch await running.value {
        case .ran(let result): return result
        case .notFound: throw DataplaneError(name, "not installed")
        case .notRun(let reason): throw DataplaneError(name, reason, isTemporary: true)
        }
    }

    private static func runLimited(_ name: String, _ arguments: [String], input: String) async throws -> Result {
        try await withThrowingTaskGroup(of: Result.self) { group in
            group.addTask { try await runUnlimited(name, arguments, input: input) }
            group.addTask {
                try await Task.sleep(for: timeLimit)
                throw DataplaneError(name, "timed out after \(timeLimit)")
            }
            defer { group.cancelAll() }
            guard let first = try await group.next() else { throw DataplaneError(name, "did not run") }
            return first
        }
    }

    private static func runUnlimited(_ name: String, _ arguments: [String], input: String) async throws -> Result {
        let result = try await Subprocess.run(
            // What programs say is compared with what they say in English.
            .name(name), arguments: Arguments(arguments), environment: .inherit.updating(["LC_ALL": "C"]), input: .string(input),
            output: .string(limit: outputLimit), error: .string(limit: 1 << 16))
        let standardError = result.standardError.split(separator: "\n").joined(separator: "; ")
        switch result.terminationStatus {
        case .exited(let code): return Result(exitCode: code, output: result.standardOutput, standardError: standardError)
        case .signaled(let signal):
            return Result(
                exitCode: nil, output: result.standardOutput,
                standardError: standardError.isEmpty ? "killed by signal \(signal)" : standardError)
        }
    }
}
