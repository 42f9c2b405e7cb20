// Sends the netlink requests that record.c recorded, in the same batches and order, each after the acknowledgement of the one before, and nothing else.
// What this takes is the kernel's part of the work.
//
//     replay FILE NAME
//
// Prints marks for `metered` as NAME before and after sending, then counts by protocol and microseconds of elapsed time. It loads the file, and opens
// sockets, before. Fails if a reply is an error.
#define _GNU_SOURCE
#include <err.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/netfilter/nfnetlink.h>
#include <linux/netlink.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

enum { DESCRIPTORS = 1024, PROTOCOLS = 32, RECEIVE = 16 << 20, SEND = 4 << 20 };

struct record {
    uint32_t protocol, descriptor, length;
};

static struct {
    unsigned long long sends, messages, nanoseconds;
} counts[PROTOCOLS];
static unsigned long long errors;
static int sockets[PROTOCOLS][DESCRIPTORS];

static unsigned long long now(void) {
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return time.tv_sec * 1000000000ULL + time.tv_nsec;
}

static int open_socket(int protocol) {
    int descriptor = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, protocol), receive = RECEIVE, send = SEND, yes = 1;
    struct timeval limit = {10, 0};
    if (descriptor < 0) err(1, "socket");
    if (setsockopt(descriptor, SOL_SOCKET, SO_RCVBUFFORCE, &receive, sizeof receive) || setsockopt(descriptor, SOL_SOCKET, SO_SNDBUFFORCE, &send, sizeof send) ||
        setsockopt(descriptor, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit) || setsockopt(descriptor, SOL_NETLINK, NETLINK_CAP_ACK, &yes, sizeof yes))
        err(1, "setsockopt");
    return descriptor;
}

// Counts the messages of a send, and finds the sequence number of the last one that the kernel acknowledges.
static bool awaited(int protocol, const char *data, uint32_t length, uint32_t *sequence) {
    bool found = false;
    struct nlmsghdr header;
    for (uint32_t place = 0; place + sizeof header <= length; place += NLMSG_ALIGN(header.nlmsg_len)) {
        memcpy(&header, data + place, sizeof header);
        if (header.nlmsg_len < sizeof header) errx(1, "the record has a malformed message");
        counts[protocol].messages++;
        if (header.nlmsg_flags & NLM_F_ACK) {
            *sequence = header.nlmsg_seq;
            found = true;
        }
    }
    return found;
}

static void await(int descriptor, uint32_t sequence) {
    static char buffer[1 << 16];
    while (true) {
        ssize_t length = recv(descriptor, buffer, sizeof buffer, 0);
        if (length < 0 && errno == EINTR) continue;
        if (length < 0) err(1, "recv");
        bool done = false;
        for (struct nlmsghdr *header = (void *)buffer; NLMSG_OK(header, length); header = NLMSG_NEXT(header, length)) {
            if (header->nlmsg_type != NLMSG_ERROR) continue;
            if (((struct nlmsgerr *)NLMSG_DATA(header))->error) errors++;
            done = done || header->nlmsg_seq == sequence;
        }
        if (done) return;
    }
}

static void send_record(struct record record, const char *data) {
    unsigned long long start = now();
    uint32_t sequence = 0;
    int descriptor = sockets[record.protocol][record.descriptor];
    bool acknowledged = awaited(record.protocol, data, record.length, &sequence);
    if (send(descriptor, data, record.length, 0) != (ssize_t)record.length) err(1, "send");
    if (acknowledged) await(descriptor, sequence);
    counts[record.protocol].sends++;
    counts[record.protocol].nanoseconds += now() - start;
}

// Calls `body` with each record of the file.
static void each(const char *bytes, size_t size, void (*body)(struct record, const char *)) {
    struct record record;
    for (size_t place = 0; place + sizeof record <= size; place += sizeof record + record.length) {
        memcpy(&record, bytes + place, sizeof record);
        if (record.protocol >= PROTOCOLS || record.descriptor >= DESCRIPTORS || record.length > size - place - sizeof record) errx(1, "malformed record");
        body(record, bytes + place + sizeof record);
    }
}

static void prepare(struct record record, const char *data) {
    (void)data;
    int *descriptor = &sockets[record.protocol][record.descriptor];
    if (!*descriptor) *descriptor = open_socket(record.protocol);
}

// Waits until `metered` has taken the CPU time.
static void mark(const char *name, const char *what) {
    const char *folder = getenv("METERED_MARKS");
    if (!folder) errx(1, "METERED_MARKS is not set");
    char file[4096];
    snprintf(file, sizeof file, "%s/%s.%s", folder, name, what);
    printf("@cpu %s %s\n", name, what);
    fflush(stdout);
    for (int count = 0; access(file, F_OK); count++) {
        if (count == 1200) errx(1, "no CPU time of %s", name);
        usleep(50000);
    }
}

int main(int count, char **arguments) {
    if (count != 3) errx(2, "usage: replay FILE NAME");
    int file = open(arguments[1], O_RDONLY | O_CLOEXEC);
    struct stat status;
    if (file < 0 || fstat(file, &status)) err(1, "%s", arguments[1]);
    char *bytes = status.st_size ? mmap(NULL, status.st_size, PROT_READ, MAP_PRIVATE | MAP_POPULATE, file, 0) : NULL;
    if (bytes == MAP_FAILED) err(1, "mmap");
    each(bytes, status.st_size, prepare);
    mark(arguments[2], "begin");
    each(bytes, status.st_size, send_record);
    mark(arguments[2], "end");
    const char *names[PROTOCOLS] = {[NETLINK_ROUTE] = "route", [NETLINK_NETFILTER] = "netfilter", [NETLINK_GENERIC] = "ipvs"};
    for (int protocol = 0; protocol < PROTOCOLS; protocol++)
        if (names[protocol]) {
            printf("%s.%s.sends %llu\n", arguments[2], names[protocol], counts[protocol].sends);
            printf("%s.%s.messages %llu\n", arguments[2], names[protocol], counts[protocol].messages);
            printf("%s.%s.elapsed %llu\n", arguments[2], names[protocol], counts[protocol].nanoseconds / 1000);
        }
    if (errors) errx(1, "%llu errors that the sync did not have", errors);
}
