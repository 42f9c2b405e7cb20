internal import Glibc
internal import Model
internal import Netlink
internal import SystemPackage

/// The ipsets that a node proxy left, on a node whose proxy does not use ipset.
enum OldIPSets {
    /// Part of the error if rules refer to a set.
    static let inUse = "the set is in use"

    /// Returns the sets that exist. Does not load the module: without it, there are none.
    static func existing(_ names: Set<AddressSet.Name>) throws(DataplaneError) -> Set<AddressSet.Name> {
        guard isLoaded else { return [] }
        let socket = try open()
        var found: Set<AddressSet.Name> = []
        for name in names {
            do throws(NetlinkError) {
                _ = try socket.request(try IPSetMessages.list(name), keepingAtMost: 0) { $0 }
                found.insert(name)
            } catch  where error.code == .kernel(.noSuchFileOrDirectory) {
                continue
            } catch  where error.code == .kernel(.invalidArgument) {
                // The subsystem is missing (`nfnetlink_rcv_msg`, net/netfilter/nfnetlink.c).
                return []
            } catch {
                throw DataplaneError("ipset list \(name)", IPSetFailure(error))
            }
        }
        return found
    }

    /// Destroys sets. Fails if some remain, and names the first one.
    static func destroy(_ names: Set<AddressSet.Name>) throws(DataplaneError) {
        let sorted = names.sorted()
        var batch = NetlinkBatch()
        do throws(NetlinkError) {
            for name in sorted { try batch.add(try IPSetMessages.destroy(name)) }
        } catch {
            throw DataplaneError("ipset destroy", IPSetFailure(error))
        }
        let failures = try open().execute(batch).filter { $0.value.code != .kernel(.noSuchFileOrDirectory) }
        guard let (index, error) = failures.min(by: { $0.key < $1.key }) else { return }
        let others = failures.count > 1 ? ", and \(failures.count - 1) other sets" : ""
        throw DataplaneError("ipset destroy \(sorted[index])\(others)", IPSetFailure(error))
    }

    private static func open() throws(DataplaneError) -> NetlinkSocket {
        do { return try NetlinkSocket.open(.netfilter) } catch { throw DataplaneError("ipset", error) }
    }

    /// Whether the kernel has ip_set now. A request would load the module.
    static var isLoaded: Bool {
        // Without sysfs, nothing is known.
        unsafe access("/sys/module", F_OK) != 0 || access("/sys/module/ip_set", F_OK) == 0
    }
}
