internal import ArgumentParser
internal import KernelDataplane
internal import StatusAPI
internal import StatusTable
internal import Text

struct StatusCheckCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "check",
        abstract: "Compare the kernel state with the desired state of the running proxy.",
        discussion: """
            Reads virtual servers, real servers, addresses, ipsets and rules from the kernel, and again a second later if something differs. Changes \
            nothing. Prints the commands that would repair the differences. Exits with 1 if there are any, and with 2 if no proxy answers.

            EXAMPLE
              kube-ipvs-proxy status check
            """)

    @OptionGroup var stateDirectory: StateDirectory

    func run() async throws {
        try await reportingFailure {
            try KernelSetup.requirePrivilege()
            let found = try await differences()
            for step in found { print("\(step.command)\(step.service.map { "  # \($0)" } ?? "")".printable()) }
            guard found.isEmpty else { throw ExitCode.failure }
            print("Kernel state in sync with the running proxy.")
        }
    }

    private func differences() async throws -> [ProxyDifferences.Step] {
        do {
            return try await ProxySocket(stateDirectory: stateDirectory.find()).differences().differences
        } catch {
            warn("Error: \(error)\nWithout a running proxy, use kube-ipvs-proxy plan to show what a proxy would change.")
            throw ExitCode(2)
        }
    }
}
