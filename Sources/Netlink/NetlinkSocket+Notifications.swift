internal import CNetlink
internal import Glibc
public import SystemCalls
internal import SystemPackage

/// What the kernel tells without being asked. A socket that hears it is of no use for requests.
extension NetlinkSocket {
    /// Hears from now on what is told to a multicast group, such as `RTNLGRP_IPV4_IFADDR`.
    public borrowing func join(_ group: UInt32) throws(NetlinkError) {
        var group = group
        guard unsafe setsockopt(channel.descriptor, SOL_NETLINK, NETLINK_ADD_MEMBERSHIP, &group, socklen_t(MemoryLayout<UInt32>.size)) == 0
        else { throw NetlinkError(.kernel(Errno(rawValue: errno)), detail: "NETLINK_ADD_MEMBERSHIP") }
    }

    /// Waits for the next messages; nil once the signal is raised.
    ///
    /// Fails with `.overrun` where the kernel had more to tell than the socket could hold: what that was is lost, and what comes next is heard again.
    public borrowing func notifications(until stop: StopSignal) throws(NetlinkError) -> [NetlinkReply]? {
        var descriptors = [
            pollfd(fd: channel.descriptor, events: Int16(POLLIN), revents: 0),
            pollfd(fd: stop.descriptor, events: Int16(POLLIN), revents: 0),
        ]
        while true {
            let count = unsafe poll(&descriptors, 2, -1)
            guard count >= 0 || errno == EINTR else { throw NetlinkError(.kernel(Errno(rawValue: errno)), detail: "poll") }
            if descriptors[1].revents != 0 { return nil }
            // An overrun is told as an error of the socket, without anything to read.
            if count > 0, descriptors[0].revents != 0 { return try receive() }
        }
    }
}
