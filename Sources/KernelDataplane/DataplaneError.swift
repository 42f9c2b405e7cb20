internal import Netlink
internal import SystemCalls
internal import SystemPackage

/// A failed request to the kernel or a system program; the description names the request and the reason.
public struct DataplaneError: Error, Hashable, Sendable, CustomStringConvertible {
    /// The failed request, such as `IPVS GET_DEST 10.96.0.10:53/UDP`.
    public var request: String
    public var reason: String
    /// Whether the same request may succeed later: the failure says nothing about the kernel.
    public var isTemporary: Bool

    public init(_ request: String, _ reason: some CustomStringConvertible, isTemporary: Bool = false) {
        self.request = request
        self.reason = reason.description
        self.isTemporary = isTemporary
    }

    init(_ request: String, _ error: NetlinkError) {
        self.init(request, error.description, isTemporary: error.isTemporary)
    }

    init(_ request: String, _ error: FileError) {
        self.init(request, error.description, isTemporary: error.errno?.isTemporary ?? false)
    }

    /// - Parameters:
    ///   - what: the failed action, such as "failed to read".
    ///   - advice: how to fix it.
    init(_ request: String, _ errno: Errno, what: String? = nil, advice: String? = nil) {
        let reason = [what, errno.description, advice].compactMap(\.self).joined(separator: ": ")
        self.init(request, reason, isTemporary: errno.isTemporary)
    }

    public var description: String { "\(request): \(reason)" }
}
