// Counts what a program sends to the packet filter, and the time that the kernel takes for it: transactions of nf_tables, messages of ipset, and tables
// of iptables-legacy. The kernel carries them out during the system call. Preload it: LD_PRELOAD=sent.so SENT_FILE=PATH PROGRAM. At exit, it adds a line
// to the file for each of them that occurred: program, kind, calls, bytes, microseconds, and microseconds of CPU time; and one with the CPU time of the process.
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <linux/netfilter/nfnetlink.h>
#include <linux/netlink.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <time.h>

enum kind { TRANSACTIONS, IPSET, TABLES, KINDS, NONE };
static const char *names[KINDS] = {"nf_tables", "ipset", "iptables"};
static atomic_ullong calls[KINDS], bytes[KINDS], wall[KINDS], processor[KINDS];

// IPT_SO_SET_REPLACE and IP6T_SO_SET_REPLACE of linux/netfilter_ipv4/ip_tables.h and netfilter_ipv6/ip6_tables.h.
enum { SET_REPLACE = 64 };

static unsigned long long microseconds(clockid_t clock) {
    struct timespec time;
    clock_gettime(clock, &time);
    return time.tv_sec * 1000000ULL + time.tv_nsec / 1000;
}

static enum kind kind_of(int descriptor, const void *data, size_t length) {
    int domain = 0, protocol = 0;
    socklen_t size = sizeof(int);
    if (getsockopt(descriptor, SOL_SOCKET, SO_DOMAIN, &domain, &size) || domain != AF_NETLINK) return NONE;
    if (getsockopt(descriptor, SOL_SOCKET, SO_PROTOCOL, &protocol, &size) || protocol != NETLINK_NETFILTER) return NONE;
    struct nlmsghdr header;
    if (length < sizeof header) return NONE;
    memcpy(&header, data, sizeof header);
    if (header.nlmsg_type == NFNL_MSG_BATCH_BEGIN) return TRANSACTIONS;
    return header.nlmsg_type >> 8 == NFNL_SUBSYS_IPSET ? IPSET : NONE;
}

#define COUNTED(KIND, LENGTH, CALL)                                           \
    ({                                                                        \
        enum kind counted = (KIND);                                           \
        unsigned long long start = microseconds(CLOCK_MONOTONIC);             \
        unsigned long long used = microseconds(CLOCK_THREAD_CPUTIME_ID);      \
        __auto_type result = (CALL);                                          \
        if (counted < KINDS) {                                                \
            calls[counted]++;                                                 \
            bytes[counted] += (LENGTH);                                       \
            wall[counted] += microseconds(CLOCK_MONOTONIC) - start;           \
            processor[counted] += microseconds(CLOCK_THREAD_CPUTIME_ID) - used; \
        }                                                                     \
        result;                                                               \
    })

ssize_t send(int descriptor, const void *data, size_t length, int flags) {
    ssize_t (*next)(int, const void *, size_t, int) = dlsym(RTLD_NEXT, "send");
    return COUNTED(kind_of(descriptor, data, length), length, next(descriptor, data, length, flags));
}

ssize_t sendto(int descriptor, const void *data, size_t length, int flags, const struct sockaddr *address, socklen_t size) {
    ssize_t (*next)(int, const void *, size_t, int, const struct sockaddr *, socklen_t) = dlsym(RTLD_NEXT, "sendto");
    return COUNTED(kind_of(descriptor, data, length), length, next(descriptor, data, length, flags, address, size));
}

ssize_t sendmsg(int descriptor, const struct msghdr *message, int flags) {
    ssize_t (*next)(int, const struct msghdr *, int) = dlsym(RTLD_NEXT, "sendmsg");
    size_t length = 0;
    for (size_t index = 0; index < message->msg_iovlen; index++) length += message->msg_iov[index].iov_len;
    enum kind kind = message->msg_iovlen ? kind_of(descriptor, message->msg_iov[0].iov_base, message->msg_iov[0].iov_len) : NONE;
    return COUNTED(kind, length, next(descriptor, message, flags));
}

int setsockopt(int descriptor, int level, int name, const void *value, socklen_t length) {
    int (*next)(int, int, int, const void *, socklen_t) = dlsym(RTLD_NEXT, "setsockopt");
    enum kind kind = (level == 0 || level == 41) && name == SET_REPLACE ? TABLES : NONE;
    return COUNTED(kind, length, next(descriptor, level, name, value, length));
}

__attribute__((destructor)) static void report(void) {
    const char *path = getenv("SENT_FILE");
    FILE *file = path ? fopen(path, "a") : NULL;
    if (!file) return;
    for (int kind = 0; kind < KINDS; kind++)
        if (calls[kind])
            fprintf(file, "%s %s %llu %llu %llu %llu\n", program_invocation_short_name, names[kind], calls[kind], bytes[kind], wall[kind], processor[kind]);
    fprintf(file, "%s process 0 0 0 %llu\n", program_invocation_short_name, microseconds(CLOCK_PROCESS_CPUTIME_ID));
    fclose(file);
}
