import FoundationEssentials

/// The results of `traffic ask --json`.
package struct Answers: Decodable, Sendable {
    package var requests: Int
    package var answered: Int
    package var failed: Int
    /// The number of answers by responder.
    package var responders: [String: Int]
    /// The number of answers by client address that the responders saw.
    package var clients: [String: Int]
    /// The number of answers by responder and client address: `pod-a 10.244.1.10`.
    package var answers: [String: Int]
    package var errors: [String: Int]
    package var slowestMilliseconds: Int

    /// Sends requests from a network namespace; failed requests are part of the result.
    package static func ask(from namespace: String, _ transport: String, _ address: String, _ port: UInt16, _ more: String = "--count 9")
        async throws -> Answers
    {
        let location = address.contains(":") ? "[\(address)]:\(port)" : "\(address):\(port)"
        let result = try await Shell.attempt("ip netns exec \(namespace) \(Place.traffic) ask \(transport) '\(location)' --json \(more)")
        return try decode(result.output)
    }

    package static func decode(_ text: String) throws -> Answers {
        do {
            return try JSONDecoder().decode(Answers.self, from: Data(text.utf8))
        } catch {
            throw Shell.Failure(script: "traffic ask", output: text)
        }
    }
}
