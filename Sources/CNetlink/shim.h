#ifndef CNETLINK_SHIM_H
#define CNETLINK_SHIM_H

// libnl: sockets, messages, attributes.
#include <netlink/attr.h>
#include <netlink/errno.h>
#include <netlink/genl/ctrl.h>
#include <netlink/genl/genl.h>
#include <netlink/msg.h>
#include <netlink/netlink.h>
#include <netlink/socket.h>

// The kernel's headers, so that no constant is repeated in Swift.
#include <linux/filter.h>
#include <linux/genetlink.h>
#include <linux/if_addr.h>
#include <linux/if_link.h>
#include <linux/ip_vs.h>
#include <linux/netfilter.h>
#include <linux/netfilter/ipset/ip_set.h>
#include <linux/netfilter/ipset/ip_set_bitmap.h>
#include <linux/netfilter/ipset/ip_set_hash.h>
#include <linux/netfilter/nf_nat.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nf_tables_compat.h>
#include <linux/netfilter/nfnetlink.h>
#include <linux/netfilter/nfnetlink_conntrack.h>
#include <linux/netfilter_ipv4.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>

// linux/ip_vs.h defines these by sums, which Swift does not import.
enum {
    CNETLINK_IP_VS_SO_GET_SERVICES = IP_VS_SO_GET_SERVICES,
    CNETLINK_IP_VS_SO_GET_DESTS = IP_VS_SO_GET_DESTS,
};

// From the kernel's include/linux/socket.h, which glibc does not export.
#ifndef SOL_NETLINK
#define SOL_NETLINK 270
#endif

// The parts of a tuple that the filter of a dump compares (CTA_FILTER_ORIG_FLAGS): from the kernel's net/netfilter/nf_internals.h, which is
// not exported.
#ifndef CTA_FILTER_F_CTA_IP_DST
#define CTA_FILTER_F_CTA_IP_DST (1 << 1)
#define CTA_FILTER_F_CTA_PROTO_NUM (1 << 3)
#define CTA_FILTER_F_CTA_PROTO_DST_PORT (1 << 5)
#endif

#endif
