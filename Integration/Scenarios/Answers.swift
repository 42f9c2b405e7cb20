import FoundationEssentials

/// What `traffic ask --json` tells of its requests.
struct Answers: Decodable {
    var requests: Int
    var answered: Int
    var failed: Int
    /// How many answers each responder gave.
    var responders: [String: Int]
    /// Which client addresses the responders saw.
    var clients: [String: Int]
    var errors: [String: Int]
    var slowestMilliseconds: Int

    /// Asks from a network namespace; requests that fail are part of the answer.
    static func ask(from namespace: String, _ transport: String, _ address: String, _ port: UInt16, _ more: String = "--count 9")
        async throws -> Answers
    {
        let location = address.contains(":") ? "[\(address)]:\(port)" : "\(address):\(port)"
        let result = try await Shell.attempt("ip netns exec \(namespace) \(Place.traffic) ask \(transport) '\(location)' --json \(more)")
        return try decode(result.output)
    }

    static func decode(_ text: String) throws -> Answers {
        do {
            return try JSONDecoder().decode(Answers.self, from: Data(text.utf8))
        } catch {
            throw Shell.Failure(script: "traffic ask", output: text)
        }
    }
}
