import CMalloc
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

    private static func header(_ type: Int32, _ flags: Int32, _ address: UInt64, _ size: UInt64) -> Elf64_Phdr {
        var header = Elf64_Phdr()
        (header.p_type, header.p_flags, header.p_vaddr, header.p_filesz) = (UInt32(type), UInt32(flags), address, size)
        return header
    }

    private static func entry(_ tag: Int32, _ value: UInt64 = 0) -> Elf64_Dyn {
        var entry = Elf64_Dyn()
        entry.d_tag = Int64(tag)
        unsafe entry.d_un.d_val = value
        return entry
    }

    /// elf(5): PT_LOAD is 1, PT_GNU_STACK 0x6474e551; PF_X 1, PF_W 2, PF_R 4; DT_TEXTREL 22, DT_FLAGS 30, DF_TEXTREL 4.
    @Test func `that is released are the segments that are not writable, unless the loader changed them`() {
        let headers = [
            Self.header(1, 4, 0, 0x800), Self.header(1, 5, 0x1000, 0x2000), Self.header(1, 6, 0x4000, 0x100),
            Self.header(0x6474_e551, 4, 0, 0),
        ]
        let constant = [UInt(0x10_0000)..<0x10_0800, 0x10_1000..<0x10_3000]
        #expect(ProgramMemory.constantSegments(headers, [], base: 0x10_0000) == constant)
        #expect(ProgramMemory.constantSegments(headers, [Self.entry(30, 8), Self.entry(0), Self.entry(22)], base: 0x10_0000) == constant)
        #expect(ProgramMemory.constantSegments(headers, [Self.entry(22)], base: 0x10_0000).isEmpty)
        #expect(ProgramMemory.constantSegments(headers, [Self.entry(1, 4), Self.entry(30, 4 | 8)], base: 0x10_0000).isEmpty)
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
