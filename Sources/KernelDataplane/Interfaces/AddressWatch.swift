internal import CNetlink
internal import Dispatch
internal import Netlink
internal import SystemCalls

/// Watches the addresses of this node, through rtnetlink notifications (`RTNLGRP_IPV4_IFADDR`, `RTNLGRP_IPV6_IFADDR`).
///
/// Changes on `kube-ipvs0` are the proxy's own and not reported. As in kube-proxy, an address counts as soon as an interface has it: also
/// while it is tentative (duplicate address detection) or deprecated, and while its interface is down.
struct AddressWatch: ~Copyable {
    private let notifications: NetlinkSocket
    private let interfaces: InterfaceClient
    /// The interface index of `kube-ipvs0` at the last lookup.
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

    /// Yields when the subscription starts, and after each change; changes are coalesced. Fails with a `DataplaneError` if listening fails.
    static func changes() -> AsyncThrowingStream<Void, any Error> {
        AsyncThrowingStream(bufferingPolicy: .bufferingNewest(1)) { continuation in
            do throws(FileError) {
                let stop = try StopSignal()
                continuation.onTermination = { _ in stop.raise() }
                // Waiting blocks a thread, which must not be one of the cooperative pool.
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
        // Addresses that are read from now on miss no change.
        report()
        while try watch.waitForChange(until: stop) {
            report()
            if stop.isRaised(within: coalescingMilliseconds) { return }
        }
    }

    /// Changes within this time are reported as one: addresses change all the time on a node that starts many pods.
    private static let coalescingMilliseconds: Int32 = 100

    /// Returns false once the signal is raised.
    private mutating func waitForChange(until stop: StopSignal) throws(DataplaneError) -> Bool {
        do throws(NetlinkError) {
            while let messages = try notifications.notifications(until: stop) {
                for message in messages where isNodeAddressChange(message) { return true }
            }
            return false
        } catch  where error.code == .overrun {
            // Notifications were lost; any address may have changed.
            return true
        } catch {
            throw DataplaneError("address notifications", error)
        }
    }

    private mutating func isNodeAddressChange(_ message: NetlinkReply) -> Bool {
        guard let interface = InterfaceAddress(message)?.interface else { return true }
        guard interface != device else { return false }
        // The device may have been recreated. If the lookup fails, the change is reported, which is harmless.
        device = (try? interfaces.device()) ?? nil
        return interface != device
    }
}
