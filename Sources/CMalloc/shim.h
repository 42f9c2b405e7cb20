#ifndef CMALLOC_SHIM_H
#define CMALLOC_SHIM_H

// glibc's allocator: mallopt, malloc_trim, mallinfo2.
#include <malloc.h>

// The program file in memory: its headers, and where they are.
#include <elf.h>
#include <sys/auxv.h>

#endif
