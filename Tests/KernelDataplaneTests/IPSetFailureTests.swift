import Model
import SystemPackage
import Testing

@testable import KernelDataplane
@testable import Netlink

@Suite struct `The error numbers of ipset` {
    private static func description(_ number: Int32, _ kind: AddressSetType? = nil, capacity: UInt32? = nil, detail: String? = nil)
        -> String
    {
        IPSetFailure(NetlinkError(.subsystem(number), detail: detail), kind: kind, capacity: capacity).description
    }

    /// `enum ipset_errno` in `linux/netfilter/ipset/ip_set.h`.
    @Test(arguments: [
        (4097, "the kernel does not support the request (ipset protocol error)"), (4098, "the kernel does not support the set type"),
        (4099, "the kernel has the maximum number of sets; destroy unused ones or load ip_set with a larger max_sets"),
        (4100, "the set is in use by a rule or another set"), (4101, "the other set already exists (rename) or does not exist (swap)"),
        (4102, "the sets have different types"), (4103, "the member already exists (add) or does not exist (delete)"),
        (4104, "the prefix length of an address is invalid"), (4105, "the netmask is invalid"),
        (4106, "the set type does not support the address family"), (4107, "the set was created without support for timeouts"),
        (4108, "the set cannot be renamed while a rule or another set uses it"), (4109, "an IPv4 address is required"),
        (4110, "an IPv6 address is required"), (4111, "the set was created without support for counters"),
        (4112, "the set was created without support for comments"), (4113, "the mark mask is invalid"),
        (4114, "the set was created without support for skbinfo"),
    ])
    func `are messages, whatever the type of the set`(number: Int32, message: String) {
        #expect(Self.description(number) == message)
        for kind in AddressSetType.allCases where number != 4098 { #expect(Self.description(number, kind) == message) }
    }

    @Test(
        arguments: [
            (.hashIP, "ip_set_hash_ip"), (.hashIPPortNet, "ip_set_hash_ipportnet"), (.bitmapPort, "ip_set_bitmap_port"),
        ] as [(AddressSetType, String)])
    func `for a missing type name the modules to load`(kind: AddressSetType, module: String) {
        #expect(
            Self.description(4098, kind)
                == "set type \(kind.rawValue): not supported by the kernel: \(ModuleLoading.advice("ip_set", module))")
    }

    /// The numbers from `IPSET_ERR_TYPE_SPECIFIC`: `ip_set_hash.h` and `ip_set_bitmap.h`.
    @Test(arguments: [
        (4352, "the set is full", "the member is outside the range of the set"),
        (4353, "the set type does not support the null value as a member", "the range exceeds the maximum size of the set type"),
        (4354, "the protocol is invalid", "subsystem error 4354"), (4355, "the protocol is missing", "subsystem error 4355"),
        (4356, "the set type does not support ranges of addresses", "subsystem error 4356"),
        (4357, "the range contains all addresses", "subsystem error 4357"),
    ])
    func `of a type are messages of that type`(number: Int32, hash: String, bitmap: String) {
        for kind in AddressSetType.allCases { #expect(Self.description(number, kind) == (kind == .bitmapPort ? bitmap : hash)) }
        #expect(Self.description(number) == "subsystem error \(number)", "the type is unknown")
    }

    @Test func `are messages with the size of a full set and the detail, if they are known`() {
        #expect(Self.description(4352, .hashIP, capacity: 65536) == "the set is full (maxelem 65536)")
        #expect(Self.description(4100, detail: "run cleanup") == "the set is in use by a rule or another set (run cleanup)")
    }

    @Test(arguments: [4096, 4115, 4351, 4358, .max] as [Int32]) func `that no header defines are kept`(number: Int32) {
        for kind in AddressSetType.allCases { #expect(Self.description(number, kind) == "subsystem error \(number)") }
    }

    @Test func `do not affect other errors`() {
        let error = NetlinkError(.kernel(.noSuchFileOrDirectory), detail: "x")
        #expect(IPSetFailure(error, kind: .hashIP).description == error.description)
    }
}
