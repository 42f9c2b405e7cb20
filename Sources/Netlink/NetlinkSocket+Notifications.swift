internal import CNetlink
internal import Glibc
public import SystemCalls
internal import SystemPackage

/// What the kernel tells without being asked. A socket that hears it is of no use for requests.
extension NetlinkSocket {
    /// Hears from now on what is told to a multicast group, such as `RTNLGRP_IPV4_IFADDR`.
    public borrowing func join(_ group: UInt32) throws(NetlinkError) {
        try NetlinkSocket.check(unsafe nl_socket_add_membership(handle, Int32(group)))
    }

    /// Waits for the next messages; nil once the signal is raised.
    ///
    /// Fails with `.overrun` where the kernel had more to tell than the socket could hold: what that was is lost, and what comes next is heard again.
    public borrowing func notifications(until stop: StopSignal) throws(NetlinkError) -> [NetlinkReply]? {
        var descriptors = [
            pollfd(fd: unsafe nl_socket_get_fd(handle), events: Int16(POLLIN), revents: 0),
            pollfd(fd: stop.descriptor, events: Int16(POLLIN), revents: 0),
        ]
        while true {
            let count = unsafe poll(&descriptors, 2, -1)
            guard count >= 0 || errno == EINTR else { throw NetlinkError(.kernel(Errno(rawValue: errno)), detail: "poll") }
            if descriptors[1].revents != 0 { return nil }
            // An overrun is told as an error of the socket, without anything to read.
            if count > 0, descriptors[0].revents != 0 { return Array(NetlinkReplies(try receive())) }
        }
    }
}
