internal import Netlink
internal import Reconciler
internal import SystemPackage

/// How the kernel takes an operation.
extension Operation {
    var needsDevice: Bool {
        switch self {
        case .bind, .unbind: true
        default: false
        }
    }

    /// Whether the kernel will not have what was asked for, however often it is asked.
    ///
    /// A real server's address must be unicast, which a broadcast address of one of the node's networks is not (net/netfilter/ipvs/ip_vs_ctl.c
    /// `ip_vs_new_dest`); nothing else that we send is invalid to it.
    func isRefused(by error: NetlinkError) -> Bool {
        guard case .addRealServer = self else { return false }
        return error.code == .kernel(.invalidArgument)
    }

    /// Whether a refusal means that what was asked for is so already.
    func isFulfilled(by error: NetlinkError) -> Bool {
        guard case .kernel(let errno) = error.code else { return false }
        return switch self {
        case .deleteVirtualServer: errno == .noSuchProcess
        case .deleteRealServer: errno == .noSuchProcess || errno == .noSuchFileOrDirectory
        case .bind, .createDevice: errno == .fileExists
        case .unbind: errno == .addressNotAvailable
        case .deleteDevice: errno == .operationNotSupportedByDevice
        case .removeMember, .destroySet: errno == .noSuchFileOrDirectory
        default: false
        }
    }
}
