import KernelTestSupport
import Testing

extension Answers {
    /// Expects every request to be answered by exactly these servers, each of which saw this client address.
    func expect(_ servers: [Server: String], _ what: String, sourceLocation: SourceLocation = #_sourceLocation) {
        expect(Dictionary(uniqueKeysWithValues: servers.map { ($0.rawValue, $1) }), what, sourceLocation: sourceLocation)
    }

    func expect(_ servers: [String: String], _ what: String, sourceLocation: SourceLocation = #_sourceLocation) {
        let seen = Set(servers.map { "\($0) \($1)" })
        #expect(failed == 0 && Set(answers.keys) == seen, "\(what): expected \(seen.sorted()), got \(self)", sourceLocation: sourceLocation)
    }

    /// Expects every request to be refused without a timeout.
    func expectRefused(_ what: String, sourceLocation: SourceLocation = #_sourceLocation) {
        // The node's own datagram fails in the system call: IPVS drops it on output.
        let refusals: Set = ["connection refused", "operation not permitted"]
        #expect(answered == 0 && refusals.isSuperset(of: errors.keys), "\(what): \(self)", sourceLocation: sourceLocation)
    }

    func expectDropped(_ what: String, sourceLocation: SourceLocation = #_sourceLocation) {
        #expect(answered == 0 && Set(errors.keys) == ["timed out"], "\(what): \(self)", sourceLocation: sourceLocation)
    }
}
