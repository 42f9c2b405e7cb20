internal import CNetlink
internal import Glibc
internal import Model
internal import Netlink
internal import Reconciler

/// Decodes the notifications of rtnetlink: links, addresses and routes.
///
/// The kernel sends them in the order of the changes, so that the interface index of `kube-ipvs0` is known without lookups.
struct DeviceAnnouncements {
    /// The multicast groups to join.
    static let groups = [RTNLGRP_LINK, RTNLGRP_IPV4_IFADDR, RTNLGRP_IPV6_IFADDR, RTNLGRP_IPV4_ROUTE, RTNLGRP_IPV6_ROUTE].map(\.rawValue)

    /// The interface index of `kube-ipvs0`; nil if there is none.
    private(set) var device: UInt32?

    /// - Parameter device: the interface index at a time after the groups were joined.
    init(device: UInt32?) { self.device = device }

    /// Returns the change that a message announces; nil if it concerns neither the device nor an address of the node.
    mutating func change(_ message: NetlinkReply) -> KernelChange? {
        switch Int(message.header.type) {
        case Int(RTM_NEWLINK), Int(RTM_DELLINK): link(message)
        case Int(RTM_NEWADDR), Int(RTM_DELADDR): address(message)
        case Int(RTM_NEWROUTE), Int(RTM_DELROUTE): route(message)
        default: nil
        }
    }

    private mutating func link(_ message: NetlinkReply) -> KernelChange? {
        // Messages of another family concern the ports of a bridge.
        guard message.payload.first == UInt8(AF_UNSPEC), let link = Link(message) else { return nil }
        let name = NetlinkAttributes(message.payload.dropFirst(MemoryLayout<ifinfomsg>.size)).lazy
            .first { $0.type == UInt16(IFLA_IFNAME) }?.string
        // Deleted, moved to another network namespace or renamed.
        guard Int(message.header.type) == Int(RTM_NEWLINK), name == NodeState.deviceName else {
            guard link.index == device else { return nil }
            device = nil
            return .device(exists: false, isUp: false)
        }
        device = link.index
        return .device(exists: true, isUp: link.isUp)
    }

    /// As in kube-proxy, an address counts as soon as an interface has it: also while it is tentative (duplicate address detection) or
    /// deprecated, and while its interface is down.
    private func address(_ message: NetlinkReply) -> KernelChange? {
        guard let found = InterfaceAddress(message), found.interface == device else { return .nodeAddresses }
        // The kernel assigns it by itself.
        if found.address.family == .ipv6, found.address.isLinkLocal { return nil }
        return .address(found.address, isBound: Int(message.header.type) == Int(RTM_NEWADDR))
    }

    private func route(_ message: NetlinkReply) -> KernelChange? {
        guard let route = InterfaceRoute(message, of: .proxy), route.interface == device else { return nil }
        return .route(route.destination, Int(message.header.type) == Int(RTM_NEWROUTE) ? LocalRoute(source: route.source) : nil)
    }
}
