// The sizes and offsets of the kernel's structures that the program sends and receives, as numbers: the same on amd64 and arm64.
//
//     make layout

#include <linux/genetlink.h>
#include <linux/if_addr.h>
#include <linux/if_link.h>
#include <linux/ip_vs.h>
#include <linux/netfilter/ipset/ip_set.h>
#include <linux/netfilter/nfnetlink.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>

#define OFFSET(type, member) __builtin_offsetof(struct type, member)
#define CHECK(what, number) _Static_assert((what) == (number), #what)

CHECK(sizeof(struct nlmsghdr), 16);
CHECK(OFFSET(nlmsghdr, nlmsg_len), 0);
CHECK(OFFSET(nlmsghdr, nlmsg_type), 4);
CHECK(OFFSET(nlmsghdr, nlmsg_flags), 6);
CHECK(OFFSET(nlmsghdr, nlmsg_seq), 8);
CHECK(OFFSET(nlmsghdr, nlmsg_pid), 12);
CHECK(NLMSG_ALIGNTO, 4);
CHECK(NLA_ALIGNTO, 4);

CHECK(sizeof(struct nlattr), 4);
CHECK(OFFSET(nlattr, nla_len), 0);
CHECK(OFFSET(nlattr, nla_type), 2);

CHECK(sizeof(struct nlmsgerr), 20);
CHECK(OFFSET(nlmsgerr, error), 0);
CHECK(OFFSET(nlmsgerr, msg), 4);

CHECK(sizeof(struct sockaddr_nl), 12);
CHECK(OFFSET(sockaddr_nl, nl_pid), 4);

CHECK(sizeof(struct genlmsghdr), 4);
CHECK(sizeof(struct nfgenmsg), 4);
CHECK(OFFSET(nfgenmsg, res_id), 2);

CHECK(sizeof(struct ifinfomsg), 16);
CHECK(OFFSET(ifinfomsg, ifi_index), 4);
CHECK(OFFSET(ifinfomsg, ifi_flags), 8);

CHECK(sizeof(struct ifaddrmsg), 8);
CHECK(OFFSET(ifaddrmsg, ifa_prefixlen), 1);
CHECK(OFFSET(ifaddrmsg, ifa_index), 4);

CHECK(sizeof(struct ip_vs_flags), 8);
CHECK(OFFSET(ip_vs_flags, mask), 4);
