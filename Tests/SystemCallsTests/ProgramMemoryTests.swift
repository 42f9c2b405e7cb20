import Testing

@testable import SystemCalls

@Suite struct `The memory of the program file` {
    private static let answer = "text in the constants of this program"

    @Test func `is mapped again when it is used after its release`() throws {
        let segments = ProgramMemory.constantSegments()
        #expect(!segments.isEmpty)
        // This function is code of the program.
        #expect(ProgramMemory.releaseUnused() > 1 << 20)
        #expect(Self.answer.split(separator: " ").count == 7)
        #expect(ProgramMemory.constantSegments() == segments)
    }

    @Test func `is released without the pages that other memory shares`() {
        #expect(ProgramMemory.pages(in: 0x1001..<0x4fff, size: 0x1000) == 0x2000..<0x4000)
        #expect(ProgramMemory.pages(in: 0x1000..<0x4000, size: 0x1000) == 0x1000..<0x4000)
        #expect(ProgramMemory.pages(in: 0x1001..<0x1fff, size: 0x1000).isEmpty)
    }

    /// The kernel lists each mapping with its permissions.
    @Test func `that is released is never writable`() throws {
        let maps = String(decoding: try SmallFile.readBeginning(of: "/proc/self/maps", limit: 1 << 20), as: UTF8.self)
        for segment in ProgramMemory.constantSegments() {
            let line = try #require(
                maps.split(separator: "\n").first { line in
                    let bounds = line.prefix { $0 != " " }.split(separator: "-").compactMap { UInt($0, radix: 16) }
                    return bounds.count == 2 && (bounds[0]..<bounds[1]).contains(segment.lowerBound)
                })
            #expect(line.split(separator: " ")[1].dropFirst().first == "-", "\(line)")
        }
    }
}
