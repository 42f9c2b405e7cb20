internal import CMalloc

/// glibc's allocator (mallopt(3), malloc_trim(3)).
public enum Allocator {
    /// Limits the memory that the allocator keeps after it was freed. Must be called before other threads start.
    public static func limitFreeMemory() {
        // Otherwise up to eight arenas for each processor, each with free memory of its own.
        mallopt(M_ARENA_MAX, 2)
        // Setting it keeps it: otherwise glibc raises it to the size of the largest block freed so far, up to 32 MiB, and then such blocks
        // are no longer given back when they are freed.
        mallopt(M_MMAP_THRESHOLD, 1 << 20)
        mallopt(M_TRIM_THRESHOLD, 2 << 20)
    }

    /// Gives the free pages of all arenas back to the kernel.
    public static func releaseFreeMemory() { malloc_trim(0) }
}
