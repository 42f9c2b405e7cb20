internal import ArgumentParser
internal import KernelDataplane
internal import StatusAPI
internal import StatusTable

struct StatusCheckCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "check",
        abstract: "Compare the kernel with what the running proxy wants of it.",
        discussion: """
            Virtual and real servers, addresses, sets and rules are read afresh, twice within a second where something differs; nothing is changed. \
            Prints what would mend it, as commands, and exits with 1 where something differs; with 2 where no proxy answers.

            EXAMPLE
              kube-ipvs-proxy status check
            """)

    @OptionGroup var stateDirectory: StateDirectory

    func run() async throws {
        try await reportingFailure {
            try KernelSetup.requirePrivilege()
            let found = try await differences()
            for step in found { print("\(step.command)\(step.service.map { "  # \($0)" } ?? "")") }
            guard found.isEmpty else { throw ExitCode.failure }
            print("The kernel is as the proxy wants it.")
        }
    }

    private func differences() async throws -> [ProxyDifferences.Step] {
        do {
            return try await ProxySocket(stateDirectory: stateDirectory.find()).differences().differences
        } catch {
            warn("Error: \(error)\nWithout a running proxy, kube-ipvs-proxy plan says what one would change.")
            throw ExitCode(2)
        }
    }
}
