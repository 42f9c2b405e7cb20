internal import Glibc

/// The memory of the program file itself, which the kernel maps as it is used.
public enum ProgramMemory {
    /// Unmaps the pages of code and constants: those that are still in use are mapped again at their next use, from the page cache.
    ///
    /// For the end of the start, which uses code and Swift's metadata all over the file: they would stay resident, several times as much as
    /// the proxy needs afterwards.
    ///
    /// - Returns: the number of bytes of the mappings.
    @discardableResult
    public static func releaseUnused() -> Int {
        var released = 0
        for range in constantSegments() {
            let pages = ProgramMemory.pages(in: range, size: Int(sysconf(Int32(_SC_PAGESIZE))))
            guard !pages.isEmpty, let first = unsafe UnsafeMutableRawPointer(bitPattern: pages.lowerBound) else { continue }
            // Never written, so the kernel reads the same from the file again.
            if unsafe madvise(first, pages.count, MADV_DONTNEED) == 0 { released += pages.count }
        }
        return released
    }

    /// The complete pages in a range of addresses.
    static func pages(in range: Range<UInt>, size: Int) -> Range<UInt> {
        let size = UInt(size)
        let first = (range.lowerBound + size - 1) / size * size
        return first..<max(first, range.upperBound / size * size)
    }

    // The auxiliary vector, getauxval(3), and the fields of Elf64_Phdr with their offsets, elf(5).
    private static let (headersKey, entrySizeKey, entryCountKey): (UInt64, UInt64, UInt64) = (3, 4, 5)
    private static let (typeOffset, flagsOffset, addressOffset, fileSizeOffset, entrySize) = (0, 4, 16, 32, 56)
    private static let (load, header, writable): (UInt32, UInt32, UInt32) = (1, 6, 2)

    /// The segments that were never writable; none if they are not known. Those that become constant only after relocation (RELRO) are not
    /// among them.
    static func constantSegments() -> [Range<UInt>] {
        guard let bytes = try? SmallFile.readBeginning(of: "/proc/self/auxv", limit: 4096) else { return [] }
        let vector = unsafe bytes.withUnsafeBytes { bytes in
            stride(from: 0, to: bytes.count / 16 * 16, by: 8).map { unsafe bytes.loadUnaligned(fromByteOffset: $0, as: UInt64.self) }
        }
        let values = Dictionary(
            stride(from: 0, to: vector.count, by: 2).map { (vector[$0], vector[$0 + 1]) }, uniquingKeysWith: { first, _ in first })
        guard values[entrySizeKey] == UInt64(entrySize), let start = values[headersKey].map(UInt.init), let count = values[entryCountKey],
            let table = unsafe UnsafeRawPointer(bitPattern: start)
        else { return [] }
        let headers = unsafe UnsafeRawBufferPointer(start: table, count: entrySize * Int(count))
        var base: UInt?
        var segments: [Range<UInt>] = []
        for offset in stride(from: 0, to: headers.count, by: entrySize) {
            let type = unsafe headers.load(fromByteOffset: offset + typeOffset, as: UInt32.self)
            let flags = unsafe headers.load(fromByteOffset: offset + flagsOffset, as: UInt32.self)
            let address = unsafe UInt(headers.load(fromByteOffset: offset + addressOffset, as: UInt64.self))
            let size = unsafe UInt(headers.load(fromByteOffset: offset + fileSizeOffset, as: UInt64.self))
            if type == header { base = start - address }
            if type == load, flags & writable == 0 { segments.append(address..<address + size) }
        }
        guard let base else { return [] }
        return segments.map { base + $0.lowerBound..<base + $0.upperBound }
    }
}
