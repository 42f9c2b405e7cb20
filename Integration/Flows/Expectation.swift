import KernelTestSupport
import Testing

extension Answers {
    /// Expects every request answered, by just these servers, each of which saw the client by this address.
    func expect(_ servers: [Server: String], _ what: String, sourceLocation: SourceLocation = #_sourceLocation) {
        expect(Dictionary(uniqueKeysWithValues: servers.map { ($0.rawValue, $1) }), what, sourceLocation: sourceLocation)
    }

    func expect(_ servers: [String: String], _ what: String, sourceLocation: SourceLocation = #_sourceLocation) {
        let seen = Set(servers.map { "\($0) \($1)" })
        #expect(failed == 0 && Set(answers.keys) == seen, "\(what): expected \(seen.sorted()), got \(self)", sourceLocation: sourceLocation)
    }

    /// Expects every request refused, and not by running out of time.
    func expectRefused(_ what: String, sourceLocation: SourceLocation = #_sourceLocation) {
        // The node's own datagram is refused inside the system call already: IPVS drops it on its way out.
        let refusals: Set = ["connection refused", "operation not permitted"]
        #expect(answered == 0 && refusals.isSuperset(of: errors.keys), "\(what): \(self)", sourceLocation: sourceLocation)
    }

    func expectDropped(_ what: String, sourceLocation: SourceLocation = #_sourceLocation) {
        #expect(answered == 0 && Set(errors.keys) == ["timed out"], "\(what): \(self)", sourceLocation: sourceLocation)
    }
}
