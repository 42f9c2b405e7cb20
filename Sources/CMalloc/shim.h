#ifndef CMALLOC_SHIM_H
#define CMALLOC_SHIM_H

// glibc's allocator: mallopt, malloc_trim, mallinfo2.
#include <malloc.h>

// The program file in memory: its headers, and where they are.
#include <elf.h>
#include <sys/auxv.h>

// <sys/socket.h> declares it only with GNU extensions, and is not included because it belongs to another module.
struct sockaddr;
int accept4(int, struct sockaddr *, unsigned int *, int);

#endif
