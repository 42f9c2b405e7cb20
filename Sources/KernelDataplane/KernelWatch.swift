internal import Dispatch
internal import Model
internal import Netlink
internal import Reconciler
internal import SystemCalls

/// Listens to what the kernel announces: links, addresses and routes through rtnetlink, rules and sets through nfnetlink.
struct KernelWatch: Sendable {
    private let tables: TableAnnouncements
    /// The ports of the sockets that change interfaces, and sets.
    private let routePorts: Set<UInt32>
    private let netfilterPorts: Set<UInt32>

    /// - Parameters:
    ///   - catalogue: a state with all chains, jumps and sets of the proxy; their contents do not matter.
    ///   - routePorts: the ports of this program's sockets whose changes through rtnetlink are not reported.
    ///   - netfilterPorts: the ports of those for nfnetlink.
    init(_ catalogue: NodeState, routePorts: Set<UInt32> = [], netfilterPorts: Set<UInt32> = []) {
        tables = TableAnnouncements(catalogue)
        self.routePorts = routePorts
        self.netfilterPorts = netfilterPorts
    }

    /// Yields everything that is watched when the subscription starts, and then the changes, in order. Fails with a `DataplaneError` if
    /// listening fails.
    func changes() -> AsyncThrowingStream<[KernelChange], any Error> {
        AsyncThrowingStream { continuation in
            do throws(FileError) {
                let stop = try StopSignal()
                continuation.onTermination = { _ in stop.raise() }
                // Waiting blocks a thread, which must not be one of the cooperative pool.
                DispatchQueue(label: "announcements").async {
                    do throws(DataplaneError) {
                        try listen(until: stop) { continuation.yield($0) }
                        continuation.finish()
                    } catch {
                        continuation.finish(throwing: error)
                    }
                }
            } catch {
                continuation.finish(throwing: DataplaneError("kernel notifications", error))
            }
        }
    }

    /// Announcements within this time are reported together, so that others that change their own objects all the time wake this program
    /// rarely.
    private static let pauseMilliseconds: Int32 = 20

    private func listen(until stop: StopSignal, _ report: ([KernelChange]) -> Void) throws(DataplaneError) {
        let ofLinks = try subscription(.route, DeviceAnnouncements.groups, routePorts, LocalRoute.routingProtocol)
        let ofTables = try subscription(.netfilter, [TableAnnouncements.group], netfilterPorts)
        var device = DeviceAnnouncements(device: try InterfaceClient().index())
        // What is read from now on misses no change.
        report([.nodeAddresses, .anyOfDevice] + tables.everything)
        while try KernelWatch.wait(ofLinks, ofTables, until: stop) {
            let changes = try linkChanges(ofLinks, &device) + tableChanges(ofTables)
            if !changes.isEmpty { report(changes) }
            if stop.isRaised(within: KernelWatch.pauseMilliseconds) { return }
        }
    }

    private func subscription(
        _ family: NetlinkSocket.Family, _ groups: [UInt32], _ ports: Set<UInt32>, _ routingProtocol: UInt8? = nil
    ) throws(DataplaneError) -> NetlinkSocket {
        do throws(NetlinkError) {
            let socket = try NetlinkSocket.open(family)
            try socket.attach(NotificationFilter(ignoringRequestsOf: ports, routingProtocol: routingProtocol))
            for group in groups { try socket.join(group) }
            return socket
        } catch {
            throw DataplaneError("kernel notifications", error)
        }
    }

    private static func wait(
        _ first: borrowing NetlinkSocket, _ second: borrowing NetlinkSocket, until stop: StopSignal
    ) throws(DataplaneError) -> Bool {
        do throws(NetlinkError) {
            return try NetlinkSocket.waitForNotifications(first, second, until: stop)
        } catch {
            throw DataplaneError("kernel notifications", error)
        }
    }

    /// The pending changes of the device and of the node's addresses, in order.
    private func linkChanges(_ socket: borrowing NetlinkSocket, _ device: inout DeviceAnnouncements) throws(DataplaneError)
        -> [KernelChange]
    {
        var changes: [KernelChange] = []
        let isComplete = try KernelWatch.read(socket) { message in
            guard let change = device.change(message), change != .nodeAddresses || !changes.contains(change) else { return }
            changes.append(change)
        }
        guard !isComplete else { return changes }
        // The index may be among what was lost.
        device = DeviceAnnouncements(device: try InterfaceClient().index())
        return [.nodeAddresses, .anyOfDevice]
    }

    /// The pending changes of rules and sets.
    private func tableChanges(_ socket: borrowing NetlinkSocket) throws(DataplaneError) -> [KernelChange] {
        var changes: Set<KernelChange> = []
        let isComplete = try KernelWatch.read(socket) { tables.addChanges($0, to: &changes) }
        return isComplete ? Array(changes) : tables.everything
    }

    /// The maximum number of datagrams that are read at once.
    private static let datagrams = 4096

    /// Reads the pending messages.
    ///
    /// - Returns: false if messages were lost.
    private static func read(_ socket: borrowing NetlinkSocket, _ body: (NetlinkReply) -> Void) throws(DataplaneError) -> Bool {
        var isComplete = true
        for _ in 0..<datagrams {
            do throws(NetlinkError) {
                guard let messages = try socket.pendingNotifications() else { break }
                for message in messages { body(message) }
            } catch  where error.code == .overrun {
                isComplete = false
            } catch {
                throw DataplaneError("kernel notifications", error)
            }
        }
        return isComplete
    }
}
