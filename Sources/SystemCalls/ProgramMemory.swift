internal import CMalloc
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

    /// The segments of this program that were never writable; none if they are not known.
    static func constantSegments() -> [Range<UInt>] {
        let start = UInt(getauxval(UInt(AT_PHDR)))
        guard Int(getauxval(UInt(AT_PHENT))) == MemoryLayout<Elf64_Phdr>.size,
            let table = unsafe UnsafePointer<Elf64_Phdr>(bitPattern: start)
        else { return [] }
        let headers = unsafe Array(UnsafeBufferPointer(start: table, count: Int(getauxval(UInt(AT_PHNUM)))))
        guard let base = headers.first(where: { $0.p_type == PT_PHDR }).map({ start - UInt($0.p_vaddr) }) else { return [] }
        var dynamic: [Elf64_Dyn] = []
        if let header = headers.first(where: { $0.p_type == PT_DYNAMIC }),
            let entries = unsafe UnsafePointer<Elf64_Dyn>(bitPattern: base + UInt(header.p_vaddr))
        {
            dynamic = unsafe Array(UnsafeBufferPointer(start: entries, count: Int(header.p_memsz) / MemoryLayout<Elf64_Dyn>.stride))
        }
        return constantSegments(headers, dynamic, base: base)
    }

    /// The segments that are not writable. Those that become constant only after relocation (`PT_GNU_RELRO`) are writable ones.
    ///
    /// None if the loader relocated constant segments, which so differ from the file.
    static func constantSegments(_ headers: [Elf64_Phdr], _ dynamic: [Elf64_Dyn], base: UInt) -> [Range<UInt>] {
        let isRelocated = dynamic.prefix { $0.d_tag != DT_NULL }.contains { entry in
            unsafe entry.d_tag == DT_TEXTREL || (entry.d_tag == DT_FLAGS && entry.d_un.d_val & UInt64(DF_TEXTREL) != 0)
        }
        guard !isRelocated else { return [] }
        return headers.filter { $0.p_type == PT_LOAD && $0.p_flags & UInt32(PF_W) == 0 }.map { header in
            base + UInt(header.p_vaddr)..<base + UInt(header.p_vaddr + header.p_filesz)
        }
    }
}
