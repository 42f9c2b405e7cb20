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

// The kernel's own words, so that no number is retyped in Swift.
#include <linux/genetlink.h>
#include <linux/if_addr.h>
#include <linux/if_link.h>
#include <linux/ip_vs.h>
#include <linux/netfilter/ipset/ip_set.h>
#include <linux/netfilter/nfnetlink.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>

// From <linux/socket.h> of the kernel, which glibc does not export (include/linux/socket.h).
#ifndef SOL_NETLINK
#define SOL_NETLINK 270
#endif

#endif
