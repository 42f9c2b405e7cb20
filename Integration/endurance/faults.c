// Injects faults into the requests of kube-ipvs-proxy to the kernel: netlink, and the socket options of IPVS. Preload it:
//
//     LD_PRELOAD=faults.so FAULT_SEED=1 FAULT_LOG=PATH kube-ipvs-proxy …
//
// FAULT_SEED    the same seed gives the same faults for the same order of requests
// FAULT_RATE    faults per thousand requests; default: 100
// FAULT_ONLY    beginnings of verbs, separated by commas, such as ipvs.new,ipset; default: all
// FAULT_UNTIL   a file: while it exists, there are no faults
// FAULT_COUNT   the maximum number of faults; default: no limit
// FAULT_GENTLE  a file: while it exists, faults are rarer, and errors are temporary ones only. Programs ask the kernel at their start what it has, and a kernel
//               never says by mistake that it lacks something.
// FAULT_PATIENCE  how long a receive waits that times out, in milliseconds, instead of the socket's own time limit; default: 500
// FAULT_LOG     a line for each fault: number, verb, fault, errno or milliseconds
//
// An error that says that an object exists or does not exist is returned only for a request that was carried out: a kernel does not lie about
// that, although another program may have been faster. Other programs that the proxy starts are not affected.
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/genetlink.h>
#include <linux/ip_vs.h>
#include <linux/netfilter/nfnetlink.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

#define NEXT(NAME) ((__typeof__(&NAME))dlsym(RTLD_NEXT, #NAME))
#define DESCRIPTORS 4096
#define LONGEST (1 << 20)

// A datagram for the program, or an errno.
struct event {
    struct event *next;
    int error;
    size_t length;
    // The length that the call returns, if the datagram was longer than its buffer.
    size_t returned;
    char bytes[];
};

enum dump_fault { NO_DUMP_FAULT, INTERRUPTED, TRUNCATED, TOO_LONG, WITHOUT_DONE, FAILED_DONE, LOST_PART, INTERRUPTED_CALL };

struct state {
    int is_netlink, protocol;
    struct event *first;
    // Only after all datagrams of the kernel.
    struct event *last;
    // A receive times out if there is nothing to receive.
    int is_silent;
    enum dump_fault dump_fault;
    // Datagrams before the fault.
    int parts;
    uint32_t dump_sequence;
};
static struct state *states[DESCRIPTORS];
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;

// MARK: Configuration

static int is_active = -1;
static uint64_t generator;
static long rate, count, maximum, patience;
static const char *only, *until, *gentle;
static int report = -1;
static int ipvs_family = -1;

static long number(const char *name, long otherwise) {
    const char *text = getenv(name);
    return text && *text ? strtol(text, NULL, 10) : otherwise;
}

static void configure(void) {
    if (is_active >= 0) return;
    is_active = getenv("FAULT_SEED") && !strcmp(program_invocation_short_name, "kube-ipvs-proxy");
    if (!is_active) return;
    generator = (uint64_t)number("FAULT_SEED", 1) * 0x9e3779b97f4a7c15 + 1;
    rate = number("FAULT_RATE", 100);
    maximum = number("FAULT_COUNT", 0);
    patience = number("FAULT_PATIENCE", 500);
    only = getenv("FAULT_ONLY");
    until = getenv("FAULT_UNTIL");
    gentle = getenv("FAULT_GENTLE");
    if (getenv("FAULT_LOG")) report = open(getenv("FAULT_LOG"), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644);
}

// SplitMix64
static uint64_t draw(uint64_t limit) {
    uint64_t z = generator += 0x9e3779b97f4a7c15;
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9;
    z = (z ^ (z >> 27)) * 0x94d049bb133111eb;
    return (z ^ (z >> 31)) % limit;
}

static int exists(const char *path) { return path && *path && !access(path, F_OK); }

static int is_selected(const char *verb) {
    if (!only || !*only) return 1;
    for (const char *name = only; name; name = strchr(name, ',') ? strchr(name, ',') + 1 : NULL)
        if (!strncmp(verb, name, strcspn(name, ","))) return 1;
    return 0;
}

// Whether the next request of a verb is to fail.
static int is_due(const char *verb) {
    // A start consists of many requests, and one that fails begins again.
    int drawn = draw(1000) < (uint64_t)(exists(gentle) && rate > 30 ? 30 : rate);
    return drawn && (!maximum || count < maximum) && is_selected(verb) && !exists(until);
}

static void note(const char *verb, const char *fault, long value) {
    count++;
    if (report < 0) return;
    char line[256];
    int length = snprintf(line, sizeof line, "%ld %s %s %ld\n", count, verb, fault, value);
    if (write(report, line, length) != length) report = -1;
}

static void pause_for(long milliseconds) {
    struct timespec time = {milliseconds / 1000, milliseconds % 1000 * 1000000};
    nanosleep(&time, NULL);
}

// MARK: Verbs and their errors

static const char *ipvs_verbs[] = {
    [1] = "ipvs.new-service", "ipvs.set-service", "ipvs.del-service", "ipvs.get-service", "ipvs.new-dest", "ipvs.set-dest", "ipvs.del-dest",
    "ipvs.get-dest", "ipvs.new-daemon", "ipvs.del-daemon", "ipvs.get-daemon", "ipvs.set-config", "ipvs.get-config", "ipvs.set-info",
    "ipvs.get-info", "ipvs.zero", "ipvs.flush",
};

// The name of a request in `buffer`.
static const char *verb_of(int protocol, const struct nlmsghdr *header, char *buffer, size_t size) {
    const uint8_t *payload = NLMSG_DATA(header);
    const char *group = "other";
    int command = header->nlmsg_type;
    if (protocol == NETLINK_GENERIC) {
        command = header->nlmsg_len > NLMSG_HDRLEN ? payload[0] : 0;
        if (header->nlmsg_type == GENL_ID_CTRL) return "genl.get-family";
        if (header->nlmsg_type == ipvs_family || ipvs_family < 0)
            if (command > 0 && command < (int)(sizeof ipvs_verbs / sizeof *ipvs_verbs)) return ipvs_verbs[command];
        group = "genl";
    } else if (protocol == NETLINK_ROUTE) {
        static const char *actions[] = {"new", "del", "get", "set"};
        static const char *objects[] = {"link", "addr", "route"};
        int object = (command - RTM_BASE) / 4;
        if (object >= 0 && object < 3) {
            snprintf(buffer, size, "route.%s-%s", actions[(command - RTM_BASE) % 4], objects[object]);
            return buffer;
        }
        group = "route";
    } else if (protocol == NETLINK_NETFILTER) {
        if (command == NFNL_MSG_BATCH_BEGIN) return "nft.transaction";
        static const char *ipset[] = {
            "none", "protocol", "create", "destroy", "flush", "rename", "swap", "list", "save", "add", "del", "test", "header", "type",
        };
        static const char *conntrack[] = {"new", "get", "del", "get-zero", "get-stats-cpu", "get-stats", "get-dying", "get-unconfirmed"};
        int subsystem = command >> 8;
        command &= 0xff;
        if (subsystem == NFNL_SUBSYS_IPSET && command < 14) {
            snprintf(buffer, size, "ipset.%s", ipset[command]);
            return buffer;
        }
        if (subsystem == NFNL_SUBSYS_CTNETLINK && command < 8) {
            snprintf(buffer, size, "conntrack.%s", conntrack[command]);
            return buffer;
        }
        group = subsystem == NFNL_SUBSYS_NFTABLES ? "nft" : "netfilter";
    }
    snprintf(buffer, size, "%s.%d", group, command);
    return buffer;
}

static int is_read(const char *verb) {
    return strstr(verb, "get") || strstr(verb, ".list") || strstr(verb, ".type") || strstr(verb, ".header");
}

// Errors of a request that was not carried out.
static int refusal(const char *verb) {
    static const int temporary[] = {EBUSY, ENOMEM, ENOBUFS, EINTR, EAGAIN};
    static const int lasting[] = {EINVAL, EPERM, ENOSPC, EOPNOTSUPP, ERANGE};
    // What a read says is lasting is a fact about the kernel.
    if (is_read(verb) || exists(gentle) || draw(3)) return temporary[draw(5)];
    return lasting[draw(5)];
}

// Errors of a request that was carried out: the same, or that another program was faster.
static int late_error(const char *verb) {
    if (is_read(verb) || draw(2)) return refusal(verb);
    if (!strcmp(verb, "route.del-addr")) return EADDRNOTAVAIL;
    if (!strcmp(verb, "route.del-link")) return ENODEV;
    if (!strcmp(verb, "ipset.del") || !strcmp(verb, "ipset.destroy") || !strcmp(verb, "conntrack.del")) return ENOENT;
    if (strstr(verb, "del")) return ESRCH;
    return strstr(verb, "new") || strstr(verb, "create") || strstr(verb, "add") ? EEXIST : refusal(verb);
}

static int call_error(void) {
    static const int errors[] = {ENOBUFS, ENOMEM, EAGAIN, EINTR, ECONNREFUSED};
    return errors[draw(5)];
}

// MARK: Events

static struct event *make_event(int error, const void *bytes, size_t length) {
    struct event *event = calloc(1, sizeof *event + length);
    if (!event) abort();
    event->error = error;
    event->length = event->returned = length;
    if (length) memcpy(event->bytes, bytes, length);
    return event;
}

static void append(struct event **list, struct event *event) {
    while (*list) list = &(*list)->next;
    *list = event;
}

static struct event *take(struct event **list) {
    struct event *event = *list;
    if (event) *list = event->next;
    return event;
}

// An NLMSG_ERROR as the kernel sends it with NETLINK_CAP_ACK.
static struct event *acknowledgement(const struct nlmsghdr *request, int error) {
    struct {
        struct nlmsghdr header;
        struct nlmsgerr content;
    } message = {{sizeof message, NLMSG_ERROR, NLM_F_CAPPED, request->nlmsg_seq, 0}, {-error, *request}};
    return make_event(0, &message, sizeof message);
}

// Receives what the kernel has sent already.
static struct event *receive_event(int descriptor, char *buffer) {
    ssize_t length = NEXT(recv)(descriptor, buffer, LONGEST, MSG_DONTWAIT);
    if (length < 0) return errno == EAGAIN || errno == EWOULDBLOCK ? NULL : make_event(errno, NULL, 0);
    return make_event(0, buffer, length);
}

static struct event *receive_all(int descriptor) {
    struct event *all = NULL, *event;
    char *buffer = malloc(LONGEST);
    if (!buffer) abort();
    while ((event = receive_event(descriptor, buffer))) append(&all, event);
    free(buffer);
    return all;
}

static void discard(struct event *list) {
    struct event *event;
    while ((event = take(&list))) free(event);
}

// MARK: Requests

#define EACH(HEADER, BYTES, LENGTH)                                                                       \
    struct nlmsghdr *HEADER = (struct nlmsghdr *)(BYTES);                                                 \
    (char *)HEADER + sizeof *HEADER <= (char *)(BYTES) + (LENGTH) && HEADER->nlmsg_len >= sizeof *HEADER && \
        (char *)HEADER + HEADER->nlmsg_len <= (char *)(BYTES) + (LENGTH);                                 \
    HEADER = (struct nlmsghdr *)((char *)HEADER + NLMSG_ALIGN(HEADER->nlmsg_len))

typedef ssize_t (*sender)(int descriptor, const void *bytes, size_t length);
static ssize_t send_really(int descriptor, const void *bytes, size_t length) { return NEXT(send)(descriptor, bytes, length, 0); }

// A dump: the fault is at one of its parts.
static ssize_t send_dump(struct state *state, int descriptor, const char *verb, const char *bytes, size_t length) {
    static const char *names[] = {
        [INTERRUPTED] = "dump-interrupted", [TRUNCATED] = "dump-truncated", [TOO_LONG] = "dump-too-long", [WITHOUT_DONE] = "dump-without-end",
        [FAILED_DONE] = "dump-ended-by-error", [LOST_PART] = "dump-part-lost", [INTERRUPTED_CALL] = "dump-receive-interrupted",
    };
    state->dump_fault = 1 + draw(INTERRUPTED_CALL);
    state->parts = draw(3);
    state->dump_sequence = ((const struct nlmsghdr *)bytes)->nlmsg_seq;
    note(verb, names[state->dump_fault], state->parts);
    return send_really(descriptor, bytes, length);
}

static ssize_t send_transaction(struct state *state, int descriptor, const char *verb, char *bytes, size_t length) {
    switch (draw(4)) {
        case 0: {
            // Rejected: one request at fault, or the commit.
            int error = refusal(verb), requests = 0, index = 0;
            for (EACH(header, bytes, length)) requests++;
            // Without the begin and the end.
            int fault = draw(3) ? 1 + (int)draw(requests > 2 ? requests - 2 : 1) : 0;
            for (EACH(header, bytes, length)) {
                int acknowledged = header->nlmsg_flags & NLM_F_ACK;
                if (index == fault || acknowledged) append(&state->first, acknowledgement(header, index == fault ? error : 0));
                index++;
            }
            note(verb, "rejected", error);
            return length;
        }
        case 1: {
            ssize_t sent = send_really(descriptor, bytes, length);
            discard(receive_all(descriptor));
            state->is_silent = 1;
            note(verb, "acknowledgement-lost", 0);
            return sent;
        }
        case 2: {
            ssize_t sent = send_really(descriptor, bytes, length);
            discard(receive_all(descriptor));
            append(&state->first, make_event(ENOBUFS, NULL, 0));
            state->is_silent = 1;
            note(verb, "overrun", 0);
            return sent;
        }
        default: {
            int error = call_error();
            note(verb, "send-failed", error);
            errno = error;
            return -1;
        }
    }
}

// Requests: one of them fails, or the reply to all of them.
static ssize_t send_requests(struct state *state, int descriptor, const char *verb, char *bytes, size_t length) {
    int requests = 0, index = 0;
    for (EACH(header, bytes, length)) requests++;
    int at = draw(requests);
    struct nlmsghdr *fault = NULL;
    for (EACH(header, bytes, length)) if (index++ == at) fault = header;
    int is_last = at == requests - 1;
    ssize_t sent;
    switch (draw(8)) {
        case 0:
        case 1: {
            // Not carried out.
            int error = refusal(verb);
            size_t start = (char *)fault - bytes, size = NLMSG_ALIGN(fault->nlmsg_len);
            struct event *answer = acknowledgement(fault, error);
            note(verb, "refused", error);
            append(is_last ? &state->last : &state->first, answer);
            if (requests == 1) return length;
            char *rest = malloc(length);
            if (!rest) abort();
            memcpy(rest, bytes, start);
            size_t after = start + size < length ? length - start - size : 0;
            memcpy(rest + start, bytes + start + size, after);
            sent = send_really(descriptor, rest, start + after);
            free(rest);
            return sent < 0 ? sent : (ssize_t)length;
        }
        case 2: {
            // Carried out, and yet an error: for a read, instead of the result.
            int error = late_error(verb);
            sent = send_really(descriptor, bytes, length);
            note(verb, "error-after-success", error);
            if (is_last) {
                struct event *replies = receive_all(descriptor), *event;
                while ((event = take(&replies))) {
                    event->next = NULL;
                    int is_of_last = event->length >= sizeof(struct nlmsghdr) && ((struct nlmsghdr *)event->bytes)->nlmsg_seq == fault->nlmsg_seq;
                    if (is_of_last) free(event); else append(&state->first, event);
                }
                append(&state->first, acknowledgement(fault, error));
            } else {
                append(&state->first, acknowledgement(fault, error));
            }
            return sent;
        }
        case 3:
            sent = send_really(descriptor, bytes, length);
            discard(receive_all(descriptor));
            state->is_silent = 1;
            note(verb, "acknowledgement-lost", 0);
            return sent;
        case 4:
            sent = send_really(descriptor, bytes, length);
            discard(receive_all(descriptor));
            append(&state->first, make_event(ENOBUFS, NULL, 0));
            state->is_silent = 1;
            note(verb, "overrun", 0);
            return sent;
        case 5: {
            // A reply with the number of another request, or that is cut.
            sent = send_really(descriptor, bytes, length);
            struct event *replies = receive_all(descriptor);
            int is_cut = draw(2);
            for (struct event *event = replies; event; event = event->next) {
                if (event->error) continue;
                if (is_cut) {
                    event->length = event->returned = event->length > 20 ? 17 + draw(event->length - 17) : event->length;
                } else {
                    for (EACH(header, event->bytes, event->length)) header->nlmsg_seq += 1000000;
                }
            }
            append(&state->first, replies);
            state->is_silent = 1;
            note(verb, is_cut ? "reply-cut" : "wrong-sequence-number", 0);
            return sent;
        }
        case 6: {
            long time = 200 + draw(2800);
            note(verb, "delayed", time);
            pthread_mutex_unlock(&lock);
            pause_for(time);
            pthread_mutex_lock(&lock);
            return send_really(descriptor, bytes, length);
        }
        default: {
            int error = call_error();
            note(verb, "send-failed", error);
            errno = error;
            return -1;
        }
    }
}

static void learn_family(struct state *state, const char *bytes, size_t length) {
    if (state->protocol != NETLINK_GENERIC || length < NLMSG_HDRLEN) return;
    int type = ((const struct nlmsghdr *)bytes)->nlmsg_type;
    if (type != GENL_ID_CTRL && ipvs_family < 0) ipvs_family = type;
}

static struct state *state_of(int descriptor) {
    configure();
    return is_active > 0 && descriptor >= 0 && descriptor < DESCRIPTORS && states[descriptor] && states[descriptor]->is_netlink
               ? states[descriptor] : NULL;
}

static ssize_t send_request(struct state *state, int descriptor, const void *given, size_t length) {
    if (length < sizeof(struct nlmsghdr)) return send_really(descriptor, given, length);
    pthread_mutex_lock(&lock);
    // What an earlier request left: the program has given up on it.
    discard(state->first);
    discard(state->last);
    state->first = state->last = NULL;
    state->is_silent = 0;
    state->dump_fault = NO_DUMP_FAULT;
    learn_family(state, given, length);
    char name[64];
    const struct nlmsghdr *header = given;
    const char *verb = verb_of(state->protocol, header, name, sizeof name);
    ssize_t sent;
    int error;
    if (is_due(verb)) {
        char *bytes = malloc(length);
        if (!bytes) abort();
        memcpy(bytes, given, length);
        int is_dump = (header->nlmsg_flags & NLM_F_DUMP) == NLM_F_DUMP && strncmp(verb, "route.new", 9) && strcmp(verb, "ipset.create");
        if (!strcmp(verb, "nft.transaction")) sent = send_transaction(state, descriptor, verb, bytes, length);
        else if (is_dump && draw(4)) sent = send_dump(state, descriptor, verb, bytes, length);
        else sent = send_requests(state, descriptor, verb, bytes, length);
        error = errno;
        free(bytes);
    } else {
        sent = send_really(descriptor, given, length);
        error = errno;
    }
    pthread_mutex_unlock(&lock);
    errno = error;
    return sent;
}

// MARK: Replies

// Applies the fault of a dump to a datagram; returns the length that the call returns, or -1.
static ssize_t disturb(struct state *state, char *bytes, ssize_t length, size_t capacity) {
    if (state->dump_fault == NO_DUMP_FAULT || length < (ssize_t)sizeof(struct nlmsghdr)) return length;
    if (((struct nlmsghdr *)bytes)->nlmsg_seq != state->dump_sequence) return length;
    struct nlmsghdr *end = NULL, *last = NULL;
    for (EACH(header, bytes, length)) {
        last = header;
        if (header->nlmsg_type == NLMSG_DONE || header->nlmsg_type == NLMSG_ERROR) end = header;
    }
    // Some faults are of the end; the others of a part, or of the end if there is none before.
    int is_of_end = state->dump_fault == WITHOUT_DONE || state->dump_fault == FAILED_DONE;
    if (is_of_end ? !end : state->parts-- > 0 && !end) return length;
    enum dump_fault fault = state->dump_fault;
    state->dump_fault = NO_DUMP_FAULT;
    switch (fault) {
        case INTERRUPTED:
            if (last) last->nlmsg_flags |= NLM_F_DUMP_INTR;
            return length;
        case TRUNCATED: return 17 + draw(length - 17 > 0 ? length - 17 : 1);
        case TOO_LONG: return capacity + 100;
        case WITHOUT_DONE:
            state->is_silent = 1;
            if ((char *)end == bytes) {
                errno = EAGAIN;
                return -1;
            }
            return (char *)end - bytes;
        case FAILED_DONE:
            if (end->nlmsg_len >= NLMSG_HDRLEN + 4) *(int32_t *)NLMSG_DATA(end) = -(draw(2) ? ENOMEM : EAGAIN);
            return length;
        case LOST_PART: errno = draw(2) ? ENOBUFS : ENOMEM; return -1;
        default: errno = ECONNREFUSED; return -1;
    }
}

// Receives for a call with a buffer: an event, or what the kernel has sent.
static ssize_t receive(struct state *state, int descriptor, void *buffer, size_t capacity, int flags, struct sockaddr_nl *sender) {
    pthread_mutex_lock(&lock);
    memset(sender, 0, sizeof *sender);
    sender->nl_family = AF_NETLINK;
    struct event *event = state->first;
    socklen_t size = sizeof *sender;
    ssize_t length = -1;
    int error = EAGAIN;
    if (!event && (state->last || state->is_silent)) {
        // Once what the kernel has sent has been received.
        length = NEXT(recvfrom)(descriptor, buffer, capacity, flags | MSG_DONTWAIT, (struct sockaddr *)sender, &size);
        error = errno;
        if (length < 0 && (error == EAGAIN || error == EWOULDBLOCK)) event = state->last;
        if (length < 0 && !event && error == EAGAIN && !(flags & MSG_DONTWAIT)) {
            pthread_mutex_unlock(&lock);
            pause_for(patience);
            errno = EAGAIN;
            return -1;
        }
    }
    if (event) {
        error = event->error;
        size_t copied = event->length < capacity ? event->length : capacity;
        if (copied && buffer) memcpy(buffer, event->bytes, copied);
        length = error ? -1 : flags & MSG_TRUNC ? (ssize_t)event->returned : (ssize_t)copied;
        if (!(flags & MSG_PEEK)) free(take(state->first ? &state->first : &state->last));
    } else if (!state->last && !state->is_silent) {
        pthread_mutex_unlock(&lock);
        length = NEXT(recvfrom)(descriptor, buffer, capacity, flags, (struct sockaddr *)sender, &size);
        error = errno;
        pthread_mutex_lock(&lock);
    }
    if (!event && length > 0 && !(flags & MSG_PEEK)) {
        errno = error;
        length = disturb(state, buffer, length, capacity);
        error = errno;
    }
    pthread_mutex_unlock(&lock);
    errno = error;
    return length;
}

// MARK: Calls

int socket(int domain, int type, int protocol) {
    int descriptor = NEXT(socket)(domain, type, protocol);
    configure();
    if (is_active <= 0 || descriptor < 0 || descriptor >= DESCRIPTORS) return descriptor;
    pthread_mutex_lock(&lock);
    if (!states[descriptor]) states[descriptor] = calloc(1, sizeof *states[descriptor]);
    if (!states[descriptor]) abort();
    discard(states[descriptor]->first);
    discard(states[descriptor]->last);
    *states[descriptor] = (struct state){.is_netlink = domain == AF_NETLINK, .protocol = protocol};
    pthread_mutex_unlock(&lock);
    return descriptor;
}

int close(int descriptor) {
    // Without the lock: another thread may have held it when this process was forked.
    if (descriptor >= 0 && descriptor < DESCRIPTORS && states[descriptor]) states[descriptor]->is_netlink = 0;
    return NEXT(close)(descriptor);
}

ssize_t send(int descriptor, const void *bytes, size_t length, int flags) {
    struct state *state = state_of(descriptor);
    return state ? send_request(state, descriptor, bytes, length) : NEXT(send)(descriptor, bytes, length, flags);
}

ssize_t sendto(int descriptor, const void *bytes, size_t length, int flags, const struct sockaddr *address, socklen_t size) {
    struct state *state = state_of(descriptor);
    return state ? send_request(state, descriptor, bytes, length) : NEXT(sendto)(descriptor, bytes, length, flags, address, size);
}

ssize_t sendmsg(int descriptor, const struct msghdr *message, int flags) {
    struct state *state = state_of(descriptor);
    if (!state || message->msg_iovlen != 1) return NEXT(sendmsg)(descriptor, message, flags);
    return send_request(state, descriptor, message->msg_iov[0].iov_base, message->msg_iov[0].iov_len);
}

ssize_t recv(int descriptor, void *buffer, size_t capacity, int flags) {
    struct state *state = state_of(descriptor);
    struct sockaddr_nl sender;
    return state ? receive(state, descriptor, buffer, capacity, flags, &sender) : NEXT(recv)(descriptor, buffer, capacity, flags);
}

ssize_t recvfrom(int descriptor, void *buffer, size_t capacity, int flags, struct sockaddr *address, socklen_t *size) {
    struct state *state = state_of(descriptor);
    if (!state) return NEXT(recvfrom)(descriptor, buffer, capacity, flags, address, size);
    struct sockaddr_nl sender;
    ssize_t length = receive(state, descriptor, buffer, capacity, flags, &sender);
    if (address && size && *size >= sizeof sender) {
        memcpy(address, &sender, sizeof sender);
        *size = sizeof sender;
    }
    return length;
}

int getsockopt(int descriptor, int level, int name, void *value, socklen_t *length) {
    configure();
    // IP_VS_SO_GET_SERVICES and the like.
    int is_ipvs = is_active > 0 && level == 0 && name > IP_VS_BASE_CTL && name <= IP_VS_SO_GET_MAX;
    if (!is_ipvs) return NEXT(getsockopt)(descriptor, level, name, value, length);
    const char *verb = name == IP_VS_SO_GET_SERVICES ? "option.services" : name == IP_VS_SO_GET_DESTS ? "option.dests" : "option.other";
    pthread_mutex_lock(&lock);
    if (!is_due(verb)) {
        pthread_mutex_unlock(&lock);
        return NEXT(getsockopt)(descriptor, level, name, value, length);
    }
    static const int errors[] = {ENOMEM, EAGAIN, EINTR, EBUSY};
    int kind = draw(3), error = errors[draw(4)];
    long time = 200 + draw(1800);
    size_t header = name == IP_VS_SO_GET_SERVICES ? sizeof(struct ip_vs_get_services) : sizeof(struct ip_vs_get_dests);
    note(verb, kind == 0 ? "failed" : kind == 1 ? "empty" : "delayed", kind == 0 ? error : kind == 1 ? 0 : time);
    pthread_mutex_unlock(&lock);
    if (kind == 0) {
        errno = error;
        return -1;
    }
    if (kind == 2) pause_for(time);
    int status = NEXT(getsockopt)(descriptor, level, name, value, length);
    if (kind == 1 && !status && *length > header) memset((char *)value + header, 0, *length - header);
    return status;
}
