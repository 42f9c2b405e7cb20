import Glibc
import KernelTestSupport
import Testing

/// The part of measured answers that two runs of a flow must have in common. `Integration/flows --compare` compares it between packet filters.
enum Outcome {
    /// The servers that answered, with the client addresses that they saw, and the errors.
    case servers
    /// The number of servers that answered, if the scheduler may choose any, and the errors.
    case serverCount
    /// Nothing: a request while waiting, or one whose answer depends on the time.
    case none

    /// Prints a line such as `Outcome|flow 34|tcp from pod-1a to 10.96.34.1:80|pod-2a sees 10.244.1.10`.
    func print(_ answers: Answers, of request: String) {
        guard let text = text(answers), let flow = Test.current?.name.firstMatch(of: /(?:flow |load )[0-9]+/)?.0 else { return }
        // At once, so that other output does not split the line.
        let line = Array("Outcome|\(flow)|\(request)|\(text)\n".utf8)
        _ = write(STDOUT_FILENO, line, line.count)
    }

    private func text(_ answers: Answers) -> String? {
        let errors = answers.errors.keys.sorted()
        switch self {
        case .servers:
            // pod-2a 10.244.1.10
            let servers = answers.answers.keys.map { $0.split(separator: " ").joined(separator: " sees ") }
            return (servers.sorted() + errors).joined(separator: ", ")
        case .serverCount: return (["\(answers.responders.count) servers"] + errors).joined(separator: ", ")
        case .none: return nil
        }
    }
}
