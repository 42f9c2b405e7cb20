internal import Model
internal import Netlink
internal import SystemPackage

/// Interfaces and their addresses, by rtnetlink.
struct InterfaceClient: ~Copyable {
    let socket: NetlinkSocket

    init() throws(DataplaneError) {
        do {
            socket = try NetlinkSocket.open(.route)
        } catch {
            throw DataplaneError("rtnetlink", error)
        }
    }

    /// The dummy device's number; nil where there is none.
    ///
    /// Fails where an interface of the name is of another kind: it is not ours to touch.
    borrowing func device() throws(DataplaneError) -> UInt32? {
        do throws(NetlinkError) {
            // ENODEV, in swift-system's words.
            guard let link = try socket.request(try InterfaceMessages.getLink(NodeState.deviceName)).lazy.compactMap({ Link($0) }).first
            else {
                throw NetlinkError(.malformed)
            }
            guard link.kind == "dummy" else {
                throw NetlinkError(.malformed, detail: "it is of kind \(link.kind ?? "none"), not dummy: remove or rename it")
            }
            return link.index
        } catch  where error.code == .kernel(.operationNotSupportedByDevice) {
            return nil
        } catch {
            throw DataplaneError("interface \(NodeState.deviceName)", error)
        }
    }

    /// All addresses of this network namespace, split into those on an interface and those on others.
    ///
    /// Link-local IPv6 addresses, which the kernel gives by itself, are not in the first part.
    borrowing func addresses(on interface: UInt32?) throws(DataplaneError) -> (on: Set<IPAddress>, elsewhere: Set<IPAddress>) {
        let replies: [NetlinkReply]
        do {
            replies = try socket.request(try InterfaceMessages.dumpAddresses())
        } catch {
            throw DataplaneError("RTM_GETADDR", error)
        }
        var (on, elsewhere): (Set<IPAddress>, Set<IPAddress>) = ([], [])
        for found in replies.lazy.compactMap({ InterfaceAddress($0) }) {
            if found.interface != interface {
                elsewhere.insert(found.address)
            } else if !(found.address.family == .ipv6 && found.address.isLinkLocal) {
                on.insert(found.address)
            }
        }
        return (on, elsewhere)
    }
}
