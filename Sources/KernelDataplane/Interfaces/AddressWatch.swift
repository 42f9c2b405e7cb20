internal import CNetlink
internal import Dispatch
internal import Netlink
internal import SystemCalls

/// Notices when addresses of this node come and go, by rtnetlink's notifications (`RTNLGRP_IPV4_IFADDR`, `RTNLGRP_IPV6_IFADDR`).
///
/// What happens on `kube-ipvs0` is our own doing and not told. An address counts from the moment an interface has it, as for kube-proxy: also while
/// the kernel still looks for duplicates of it (tentative), while it is deprecated, and while its interface is down.
struct AddressWatch: ~Copyable {
    private let notifications: NetlinkSocket
    private let interfaces: InterfaceClient
    /// The number of `kube-ipvs0`, when it was last looked up.
    private var device: UInt32?

    private init() throws(DataplaneError) {
        let interfaces = try InterfaceClient()
        let notifications = try AddressWatch.subscription()
        self.interfaces = interfaces
        self.notifications = notifications
    }

    private static func subscription() throws(DataplaneError) -> NetlinkSocket {
        do throws(NetlinkError) {
            let socket = try NetlinkSocket.open(.route)
            for group in [RTNLGRP_IPV4_IFADDR, RTNLGRP_IPV6_IFADDR] { try socket.join(group.rawValue) }
            return socket
        } catch {
            throw DataplaneError("address notifications", error)
        }
    }

    /// An element once it listens, and one after each change; several become one. Ends in a `DataplaneError` where listening fails.
    static func changes() -> AsyncThrowingStream<Void, any Error> {
        AsyncThrowingStream(bufferingPolicy: .bufferingNewest(1)) { continuation in
            do throws(FileError) {
                let stop = try StopSignal()
                continuation.onTermination = { _ in stop.raise() }
                // Waiting blocks a thread, which must be none of the few that all tasks share.
                DispatchQueue(label: "addresses").async {
                    do throws(DataplaneError) {
                        try listen(until: stop) { continuation.yield() }
                        continuation.finish()
                    } catch {
                        continuation.finish(throwing: error)
                    }
                }
            } catch {
                continuation.finish(throwing: DataplaneError("address notifications", error))
            }
        }
    }

    private static func listen(until stop: StopSignal, _ report: () -> Void) throws(DataplaneError) {
        var watch = try AddressWatch()
        // Whoever looks at the addresses only now misses nothing from here on.
        report()
        while try watch.waitForChange(until: stop) {
            report()
            if stop.isRaised(within: restMilliseconds) { return }
        }
    }

    /// After a change, what else happens this soon is told as one: on a node that starts many pods addresses come and go all the time.
    private static let restMilliseconds: Int32 = 100

    /// Returns false once the signal is raised.
    private mutating func waitForChange(until stop: StopSignal) throws(DataplaneError) -> Bool {
        do throws(NetlinkError) {
            while let messages = try notifications.notifications(until: stop) {
                for message in messages where isOfTheNode(message) { return true }
            }
            return false
        } catch  where error.code == .overrun {
            // Something happened, and nobody knows what.
            return true
        } catch {
            throw DataplaneError("address notifications", error)
        }
    }

    private mutating func isOfTheNode(_ message: NetlinkReply) -> Bool {
        guard let interface = InterfaceAddress(message)?.interface else { return true }
        guard interface != device else { return false }
        // The device may have been made anew since. Where it cannot be looked up, a change too many is told.
        device = (try? interfaces.device()) ?? nil
        return interface != device
    }
}
