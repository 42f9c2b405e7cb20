// Records the netlink requests of a program that change the kernel, in order, for replay.c. Preload it: LD_PRELOAD=record.so RECORD_FILE=PATH PROGRAM.
// Started processes are not recorded. A record is three numbers of 32 bits (protocol, descriptor, length) and the bytes of one send.
#define _GNU_SOURCE
#include <dlfcn.h>
#include <fcntl.h>
#include <linux/genetlink.h>
#include <linux/ip_vs.h>
#include <linux/netfilter/ipset/ip_set.h>
#include <linux/netfilter/nfnetlink.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

static int record = -1;

__attribute__((constructor)) static void start(void) {
    const char *path = getenv("RECORD_FILE");
    if (path) record = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
    unsetenv("LD_PRELOAD");
}

static bool changes_ipset(int command) {
    return (command >= IPSET_CMD_CREATE && command <= IPSET_CMD_SWAP) || command == IPSET_CMD_ADD || command == IPSET_CMD_DEL;
}

static bool changes_ipvs(int command) {
    switch (command) {
    case IPVS_CMD_GET_SERVICE: case IPVS_CMD_GET_DEST: case IPVS_CMD_GET_DAEMON: case IPVS_CMD_GET_CONFIG: case IPVS_CMD_GET_INFO: return false;
    default: return true;
    }
}

// The commands of nf_tables that change something are only accepted in a batch, and those of conntrack come in groups of which the second reads.
static bool changes_netfilter(int type) {
    if (type == NFNL_MSG_BATCH_BEGIN) return true;
    int command = type & 0xff;
    switch (type >> 8) {
    case NFNL_SUBSYS_IPSET: return changes_ipset(command);
    case NFNL_SUBSYS_CTNETLINK: return command == 0 || command == 2;
    default: return false;
    }
}

// All messages of one send are of the same kind.
static bool changes(int protocol, const char *data, size_t length) {
    struct nlmsghdr header;
    if (length < sizeof header) return false;
    memcpy(&header, data, sizeof header);
    switch (protocol) {
    // The types come in groups of four: new, delete, get, set.
    case NETLINK_ROUTE: return header.nlmsg_type >= RTM_BASE && (header.nlmsg_type - RTM_BASE) % 4 != 2;
    case NETLINK_GENERIC: return header.nlmsg_type > GENL_ID_CTRL && length > NLMSG_HDRLEN && changes_ipvs((unsigned char)data[NLMSG_HDRLEN]);
    case NETLINK_NETFILTER: return changes_netfilter(header.nlmsg_type);
    default: return false;
    }
}

static void add(int descriptor, const void *data, size_t length) {
    int domain = 0, protocol = 0;
    socklen_t size = sizeof(int);
    if (record < 0 || getsockopt(descriptor, SOL_SOCKET, SO_DOMAIN, &domain, &size) || domain != AF_NETLINK) return;
    if (getsockopt(descriptor, SOL_SOCKET, SO_PROTOCOL, &protocol, &size) || !changes(protocol, data, length)) return;
    uint32_t head[3] = {protocol, descriptor, length};
    struct iovec parts[2] = {{head, sizeof head}, {(void *)data, length}};
    // One call, so that the records of two threads do not mix.
    if (writev(record, parts, 2) != (ssize_t)(sizeof head + length)) abort();
}

ssize_t send(int descriptor, const void *data, size_t length, int flags) {
    ssize_t (*next)(int, const void *, size_t, int) = dlsym(RTLD_NEXT, "send");
    add(descriptor, data, length);
    return next(descriptor, data, length, flags);
}

ssize_t sendto(int descriptor, const void *data, size_t length, int flags, const struct sockaddr *address, socklen_t size) {
    ssize_t (*next)(int, const void *, size_t, int, const struct sockaddr *, socklen_t) = dlsym(RTLD_NEXT, "sendto");
    add(descriptor, data, length);
    return next(descriptor, data, length, flags, address, size);
}

ssize_t sendmsg(int descriptor, const struct msghdr *message, int flags) {
    ssize_t (*next)(int, const struct msghdr *, int) = dlsym(RTLD_NEXT, "sendmsg");
    // libnl sends a message in one piece.
    if (message->msg_iovlen == 1) add(descriptor, message->msg_iov[0].iov_base, message->msg_iov[0].iov_len);
    return next(descriptor, message, flags);
}
