import FuzzTargets
import Testing

/// The inputs that the fuzzer found to differ, and those of former crashes. `make fuzz` searches for more.
@Suite struct `The corpus` {
    static let names = FuzzTarget.all.map(\.name)

    @Test(arguments: names) func `breaks no promise of its parser`(name: String) throws {
        let target = try #require(FuzzTarget.all.first { $0.name == name })
        let corpus = try Corpus(of: target)
        #expect(corpus.inputs.count > 3)
        for (number, input) in corpus.inputs.enumerated() {
            #expect(throws: Never.self, "input \(number): \(String(decoding: input, as: UTF8.self).debugDescription)") {
                try target.check(input)
            }
        }
    }
}
