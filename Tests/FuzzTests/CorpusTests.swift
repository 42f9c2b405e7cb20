import Dispatch
import FuzzTargets
import Testing

/// The inputs that the fuzzer found to differ, and those of former crashes. `make fuzz` searches for more.
@Suite struct `The corpus` {
    static let names = FuzzTarget.all.map(\.name)

    @Test(arguments: names) func `breaks no promise of its parser`(name: String) async throws {
        let target = try #require(FuzzTarget.all.first { $0.name == name })
        let corpus = try Corpus(of: target)
        #expect(corpus.inputs.count > 3)
        // A check may wait for tasks, so it must not take one of their threads.
        let broken = await withCheckedContinuation { continuation in
            DispatchQueue.global().async { continuation.resume(returning: Self.broken(by: corpus, of: target)) }
        }
        #expect(broken == [])
    }

    private static func broken(by corpus: Corpus, of target: FuzzTarget) -> [String] {
        corpus.inputs.enumerated().compactMap { number, input in
            do {
                try target.check(input)
                return nil
            } catch {
                return "input \(number): \(error)"
            }
        }
    }
}
