#ifndef CMALLOC_SHIM_H
#define CMALLOC_SHIM_H

// glibc's allocator: mallopt, malloc_trim, mallinfo2.
#include <malloc.h>

#endif
