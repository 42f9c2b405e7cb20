import Testing

@testable import SystemCalls

@Suite(.serialized) struct `The memory of the program file` {
    private static let answer = "text in the constants of this program"

    @Test func `is mapped again when it is used after its release`() throws {
        let segments = ProgramMemory.constantSegments()
        #expect(!segments.isEmpty)
        // This function is code of the program.
        #expect(ProgramMemory.releaseUnused() > 1 << 20)
        #expect(Self.answer.split(separator: " ").count == 7)
        #expect(ProgramMemory.constantSegments() == segments)
    }

    /// Other tests of this process run at the same time, and use little of the code.
    @Test func `is not resident after its release`() throws {
        let segment = try #require(ProgramMemory.constantSegments().max { $0.count < $1.count })
        // Reads a byte of each page.
        var sum = 0
        for address in stride(from: segment.lowerBound, to: segment.upperBound, by: 4096) {
            let byte = try unsafe #require(UnsafePointer<UInt8>(bitPattern: address))
            sum += unsafe Int(byte.pointee)
        }
        #expect(sum > 0)
        let before = try Self.resident(segment)
        #expect(before > segment.count / 1024 * 9 / 10, "all pages are resident: \(before) kB of \(segment.count) bytes")
        ProgramMemory.releaseUnused()
        let after = try Self.resident(segment)
        #expect(after < before / 2, "\(before) kB before, \(after) kB after")
    }

    /// The resident kilobytes of a segment: the kernel lists a mapping with its addresses, and then its figures in lines such as `Rss: 4 kB`.
    private static func resident(_ segment: Range<UInt>) throws -> Int {
        let maps = String(decoding: try SmallFile.readBeginning(of: "/proc/self/smaps", limit: 4 << 20), as: UTF8.self)
        var (isInside, resident) = (false, 0)
        for line in maps.split(separator: "\n") {
            let words = line.split(separator: " ", omittingEmptySubsequences: true)
            let bounds = words[0].split(separator: "-").compactMap { UInt($0, radix: 16) }
            if bounds.count == 2 {
                isInside = bounds[0] < segment.upperBound && bounds[1] > segment.lowerBound
            } else if isInside, words[0] == "Rss:" {
                resident += try #require(Int(words[1]))
            }
        }
        return resident
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
