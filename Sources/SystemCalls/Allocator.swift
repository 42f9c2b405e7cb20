internal import CMalloc

/// glibc's allocator (mallopt(3), malloc_trim(3)).
public enum Allocator {
    /// Limits the memory that the allocator keeps after it was freed, until `releaseFreeMemory`. Must be called before other threads start.
    public static func limitFreeMemory() {
        // Otherwise up to eight arenas for each processor, each with free memory of its own. The end of an arena other than the first is
        // not given back by malloc_trim.
        mallopt(M_ARENA_MAX, 1)
        // A large sync grows and frees many arrays of megabytes. New memory for each would cost more than all else: the kernel clears it
        // page by page.
        mallopt(M_MMAP_THRESHOLD, 32 << 20)
        mallopt(M_TRIM_THRESHOLD, 8 << 20)
    }

    /// Gives the free pages of all arenas back to the kernel.
    public static func releaseFreeMemory() { malloc_trim(0) }
}
