#ifndef CMALLOC_SHIM_H
#define CMALLOC_SHIM_H

// glibc's allocator: mallopt, malloc_trim, mallinfo2.
#include <malloc.h>

// The program file in memory: its headers, and where they are.
#include <elf.h>
#include <sys/auxv.h>

// Declared by <sys/socket.h>, but only with GNU extensions.
#include <sys/socket.h>
int accept4(int, struct sockaddr *, socklen_t *, int);

#endif
