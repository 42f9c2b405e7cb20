internal import CNetlink
internal import Model
internal import Netlink

/// A failed request to ipset; the description replaces ipset's own error numbers by messages.
///
/// These numbers start at 4096: `enum ipset_errno` in `linux/netfilter/ipset/ip_set.h`, and from `IPSET_ERR_TYPE_SPECIFIC` on those of the
/// set type in `ip_set_hash.h` and `ip_set_bitmap.h`.
struct IPSetFailure: Error, Hashable, CustomStringConvertible {
    var error: NetlinkError
    /// The type of the set; nil for requests that do not depend on it.
    var kind: AddressSetType?
    /// The maximum number of members; nil if unknown.
    var capacity: UInt32?

    init(_ error: NetlinkError, kind: AddressSetType? = nil, capacity: UInt32? = nil) {
        self.error = error
        self.kind = kind
        self.capacity = capacity
    }

    var description: String {
        guard case .subsystem(let number) = error.code,
            let message = message(ipset_errno(rawValue: UInt32(number))) ?? kind.flatMap({ message(Int(number), of: $0) })
        else { return error.description }
        return error.detail.map { "\(message) (\($0))" } ?? message
    }

    private func message(_ number: ipset_errno) -> String? {
        switch number {
        case IPSET_ERR_PROTOCOL: "the kernel does not support the request (ipset protocol error)"
        case IPSET_ERR_FIND_TYPE:
            kind.map { "set type \($0.rawValue): not supported by the kernel: \(ModuleLoading.advice($0.modules))" }
                ?? "the kernel does not support the set type"
        case IPSET_ERR_MAX_SETS: "the kernel has the maximum number of sets; destroy unused ones or load ip_set with a larger max_sets"
        case IPSET_ERR_BUSY: "the set is in use by a rule or another set"
        case IPSET_ERR_EXIST_SETNAME2: "the other set already exists (rename) or does not exist (swap)"
        case IPSET_ERR_TYPE_MISMATCH: "the sets have different types"
        case IPSET_ERR_EXIST: "the member already exists (add) or does not exist (delete)"
        case IPSET_ERR_INVALID_CIDR: "the prefix length of an address is invalid"
        case IPSET_ERR_INVALID_NETMASK: "the netmask is invalid"
        case IPSET_ERR_INVALID_FAMILY: "the set type does not support the address family"
        case IPSET_ERR_TIMEOUT: "the set was created without support for timeouts"
        case IPSET_ERR_REFERENCED: "the set cannot be renamed while a rule or another set uses it"
        case IPSET_ERR_IPADDR_IPV4: "an IPv4 address is required"
        case IPSET_ERR_IPADDR_IPV6: "an IPv6 address is required"
        case IPSET_ERR_COUNTER: "the set was created without support for counters"
        case IPSET_ERR_COMMENT: "the set was created without support for comments"
        case IPSET_ERR_INVALID_MARKMASK: "the mark mask is invalid"
        case IPSET_ERR_SKBINFO: "the set was created without support for skbinfo"
        default: nil
        }
    }

    private func message(_ number: Int, of kind: AddressSetType) -> String? {
        guard kind != .bitmapPort else {
            return switch number {
            case Int(IPSET_ERR_BITMAP_RANGE): "the member is outside the range of the set"
            case Int(IPSET_ERR_BITMAP_RANGE_SIZE): "the range exceeds the maximum size of the set type"
            default: nil
            }
        }
        return switch number {
        case Int(IPSET_ERR_HASH_FULL): "the set is full\(capacity.map { " (maxelem \($0))" } ?? "")"
        case Int(IPSET_ERR_HASH_ELEM): "the set type does not support the null value as a member"
        case Int(IPSET_ERR_INVALID_PROTO): "the protocol is invalid"
        case Int(IPSET_ERR_MISSING_PROTO): "the protocol is missing"
        case Int(IPSET_ERR_HASH_RANGE_UNSUPPORTED): "the set type does not support ranges of addresses"
        case Int(IPSET_ERR_HASH_RANGE): "the range contains all addresses"
        default: nil
        }
    }
}

extension DataplaneError {
    init(_ request: String, _ failure: IPSetFailure) {
        self.init(request, failure.description, isTemporary: failure.error.isTemporary)
    }
}

extension AddressSetType {
    /// The kernel modules of the type.
    var modules: [String] { ["ip_set", "ip_set_\(rawValue.replacing(":", with: "_").replacing(",", with: ""))"] }
}

extension AddressSet.Member {
    /// The type of the sets that contain such members.
    var kind: AddressSetType {
        switch self {
        case .address: .hashIP
        case .addressPort: .hashIPPort
        case .addressPortAddress: .hashIPPortIP
        case .addressPortNet: .hashIPPortNet
        case .port: .bitmapPort
        }
    }
}
