internal import Netlink
internal import SystemCalls
internal import SystemPackage

/// A layer of the kernel refused; the text says which request, for what, and the kernel's word.
public struct DataplaneError: Error, Hashable, Sendable, CustomStringConvertible {
    /// What was asked, such as `IPVS GET_DEST 10.96.0.10:53/UDP`.
    public var request: String
    public var reason: String
    /// Whether the request could not be carried out for now: it says nothing about the kernel, and the same request may succeed later.
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
    ///   - what: what could not be done, such as "cannot be read".
    ///   - advice: what to do about it.
    init(_ request: String, _ errno: Errno, what: String? = nil, advice: String? = nil) {
        let reason = [what, errno.description, advice].compactMap(\.self).joined(separator: ": ")
        self.init(request, reason, isTemporary: errno.isTemporary)
    }

    public var description: String { "\(request): \(reason)" }
}
