/// Counts the results of requests.
struct Tally {
    private(set) var answered = 0
    private(set) var failed = 0
    private var responders: [String: Int] = [:]
    private var clients: [String: Int] = [:]
    /// The number of answers by responder and client address.
    private var answers: [String: Int] = [:]
    private var errors: [String: Int] = [:]
    private var slowest = Duration.zero

    var allAnswered: Bool { answered > 0 && failed == 0 }

    mutating func count(_ outcome: Result<Answer, Failure>, after duration: Duration) {
        slowest = max(slowest, duration)
        switch outcome {
        case .success(let answer):
            answered += 1
            responders[answer.name, default: 0] += 1
            clients[answer.client, default: 0] += 1
            answers[answer.text, default: 0] += 1
        case .failure(let failure):
            failed += 1
            errors[failure.description, default: 0] += 1
        }
    }

    var summary: String {
        (["requests \(answered + failed) answered \(answered) failed \(failed)"] + details).joined(separator: "\n")
    }

    var details: [String] {
        Tally.sorted(responders).map { "\($0) \($1)" }
            + Tally.sorted(clients).map { "client \($0) \($1)" }
            + Tally.sorted(errors).map { "error \"\($0)\" \($1)" }
            + ["slowest \(slowest.milliseconds) ms"]
    }

    var json: String {
        let fields = [
            "\"requests\":\(answered + failed)", "\"answered\":\(answered)", "\"failed\":\(failed)",
            "\"responders\":\(Tally.object(responders))", "\"clients\":\(Tally.object(clients))",
            "\"answers\":\(Tally.object(answers))", "\"errors\":\(Tally.object(errors))", "\"slowestMilliseconds\":\(slowest.milliseconds)",
        ]
        return "{\(fields.joined(separator: ","))}"
    }

    private static func sorted(_ counts: [String: Int]) -> [(String, Int)] {
        counts.sorted { $0.key < $1.key }.map { ($0.key, $0.value) }
    }

    private static func object(_ counts: [String: Int]) -> String {
        "{\(sorted(counts).map { "\(quoted($0)):\($1)" }.joined(separator: ","))}"
    }

    /// Names come from the network: quotes and control characters must not break the document.
    private static func quoted(_ text: String) -> String {
        let escaped = text.unicodeScalars.map { scalar in
            switch scalar {
            case "\"", "\\": "\\\(scalar)"
            case "\0"..."\u{1f}": "?"
            default: String(scalar)
            }
        }
        return "\"\(escaped.joined())\""
    }
}
