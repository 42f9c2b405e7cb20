internal import CNetlink
internal import Glibc
internal import Model
internal import Netlink

/// Requests to nfnetlink's subsystem ipset (`linux/netfilter/ipset/ip_set.h`, net/netfilter/ipset/ip_set_core.c).
///
/// Without `NLM_F_EXCL`, creating an existing set or member, or deleting a missing member, is no error.
enum IPSetMessages {
    private static func message(_ command: ipset_cmd, flags: Int32 = 0, capacity: Int = 256) throws(NetlinkError) -> NetlinkMessage {
        var message = try NetlinkMessage(
            type: UInt16(NFNL_SUBSYS_IPSET) << 8 | UInt16(command.rawValue), flags: UInt16(flags), capacity: capacity)
        message.putHeader(nfgenmsg(nfgen_family: UInt8(AF_INET), version: UInt8(NFNETLINK_V0), res_id: 0))
        // The oldest protocol with all that is needed; newer kernels accept it too.
        message.put(Int(IPSET_ATTR_PROTOCOL), u8: UInt8(IPSET_PROTOCOL_MIN))
        return message
    }

    /// The revisions of a set type that the kernel supports; loads the module.
    static func getType(_ kind: AddressSetType, _ family: IPFamily) throws(NetlinkError) -> NetlinkMessage {
        var message = try message(IPSET_CMD_TYPE, flags: NLM_F_ACK)
        message.put(Int(IPSET_ATTR_TYPENAME), string: kind.rawValue)
        message.put(Int(IPSET_ATTR_FAMILY), u8: familyNumber(kind, family))
        return message
    }

    /// `ipset create`.
    static func create(_ set: AddressSet, named name: AddressSet.Name? = nil, revision: UInt8) throws(NetlinkError) -> NetlinkMessage {
        var message = try message(IPSET_CMD_CREATE, flags: NLM_F_CREATE)
        message.put(Int(IPSET_ATTR_SETNAME), string: (name ?? set.name).text)
        message.put(Int(IPSET_ATTR_TYPENAME), string: set.kind.rawValue)
        message.put(Int(IPSET_ATTR_REVISION), u8: revision)
        message.put(Int(IPSET_ATTR_FAMILY), u8: familyNumber(set.kind, set.family))
        message.nest(Int(IPSET_ATTR_DATA)) { message in
            if set.kind == .bitmapPort {
                message.put(Int(IPSET_ATTR_PORT), networkU16: 0, marked: true)
                message.put(Int(IPSET_ATTR_PORT_TO), networkU16: .max, marked: true)
            } else {
                message.put(Int(IPSET_ATTR_HASHSIZE), networkU32: 1024, marked: true)
                message.put(Int(IPSET_ATTR_MAXELEM), networkU32: set.capacity, marked: true)
            }
        }
        return message
    }

    private static func familyNumber(_ kind: AddressSetType, _ family: IPFamily) -> UInt8 {
        kind == .bitmapPort ? UInt8(AF_UNSPEC) : UInt8(family.number)
    }

    /// `ipset destroy`; fails with ENOENT if the set does not exist.
    static func destroy(_ name: AddressSet.Name) throws(NetlinkError) -> NetlinkMessage {
        var message = try message(IPSET_CMD_DESTROY)
        message.put(Int(IPSET_ATTR_SETNAME), string: name.text)
        return message
    }

    /// `ipset swap`: exchanges the names of two sets.
    static func swap(_ name: AddressSet.Name, with other: AddressSet.Name) throws(NetlinkError) -> NetlinkMessage {
        var message = try message(IPSET_CMD_SWAP)
        message.put(Int(IPSET_ATTR_SETNAME), string: name.text)
        message.put(Int(IPSET_ATTR_TYPENAME), string: other.text)
        return message
    }

    /// `ipset rename`; fails if the new name is in use.
    static func rename(_ name: AddressSet.Name, to other: AddressSet.Name) throws(NetlinkError) -> NetlinkMessage {
        var message = try message(IPSET_CMD_RENAME)
        message.put(Int(IPSET_ATTR_SETNAME), string: name.text)
        message.put(Int(IPSET_ATTR_TYPENAME), string: other.text)
        return message
    }

    /// `ipset list NAME`; fails with ENOENT if the set does not exist.
    static func list(_ name: AddressSet.Name) throws(NetlinkError) -> NetlinkMessage {
        var message = try message(IPSET_CMD_LIST, flags: NLM_F_DUMP)
        message.put(Int(IPSET_ATTR_SETNAME), string: name.text)
        return message
    }

    static func add(_ member: AddressSet.Member, to name: AddressSet.Name) throws(NetlinkError) -> NetlinkMessage {
        try change(IPSET_CMD_ADD, member, name)
    }

    static func delete(_ member: AddressSet.Member, from name: AddressSet.Name) throws(NetlinkError) -> NetlinkMessage {
        try change(IPSET_CMD_DEL, member, name)
    }

    private static func change(_ command: ipset_cmd, _ member: AddressSet.Member, _ name: AddressSet.Name) throws(NetlinkError)
        -> NetlinkMessage
    {
        var message = try message(command)
        message.put(Int(IPSET_ATTR_SETNAME), string: name.text)
        message.nest(Int(IPSET_ATTR_DATA)) { put(member, &$0) }
        return message
    }

    private static func put(_ member: AddressSet.Member, _ message: inout NetlinkMessage) {
        switch member {
        case .port(let port): message.put(Int(IPSET_ATTR_PORT), networkU16: port, marked: true)
        case .address(let address): put(address, as: Int(IPSET_ATTR_IP), &message)
        case .addressPort(let location, let transport): put(location, transport, &message)
        case .addressPortAddress(let location, let transport, let source):
            put(location, transport, &message)
            put(source, as: Int(IPSET_ATTR_IP2), &message)
        case .addressPortNet(let location, let transport, let net):
            put(location, transport, &message)
            put(net.address, as: Int(IPSET_ATTR_IP2), &message)
            message.put(Int(IPSET_ATTR_CIDR2), u8: UInt8(net.prefixLength))
        }
    }

    private static func put(_ location: AddressPort, _ transport: Transport, _ message: inout NetlinkMessage) {
        put(location.address, as: Int(IPSET_ATTR_IP), &message)
        message.put(Int(IPSET_ATTR_PORT), networkU16: location.port, marked: true)
        message.put(Int(IPSET_ATTR_PROTO), u8: transport.number)
    }

    private static func put(_ address: IPAddress, as attribute: Int, _ message: inout NetlinkMessage) {
        let inner = address.family == .ipv4 ? Int(IPSET_ATTR_IPADDR_IPV4) : Int(IPSET_ATTR_IPADDR_IPV6)
        message.nest(attribute) { $0.put(inner | Int(NLA_F_NET_BYTEORDER), bytes: address.bytes) }
    }
}

/// A message of a set's listing: the first one describes the set, each has some members.
struct IPSetListing {
    var typeName: String?
    var family: IPFamily?
    var capacity: UInt32?
    var members: [AddressSet.Member] = []

    /// - Parameter kind: the type of the set, which determines the format of members; nil for the first message, which contains it.
    init(_ reply: NetlinkReply, kind: AddressSetType?) {
        // After the 4-byte nfgenmsg.
        var entries: NetlinkAttributes?
        for attribute in NetlinkAttributes(reply.payload.dropFirst(4)) {
            switch Int(attribute.type) {
            case Int(IPSET_ATTR_TYPENAME): typeName = attribute.string
            case Int(IPSET_ATTR_FAMILY): family = attribute.u8.flatMap { IPFamily(number: UInt16($0)) }
            case Int(IPSET_ATTR_DATA):
                capacity = attribute.nested.first { $0.type == UInt16(IPSET_ATTR_MAXELEM) }?.networkU32
            case Int(IPSET_ATTR_ADT): entries = attribute.nested
            default: break
            }
        }
        guard let entries, let kind = kind ?? typeName.flatMap(AddressSetType.init(rawValue:)) else { return }
        for entry in entries where entry.type == UInt16(IPSET_ATTR_DATA) {
            if let member = AddressSet.Member(entry.nested, kind: kind) { members.append(member) }
        }
    }
}

extension AddressSet.Member {
    /// Nil if this program could not have created the entry (for example, another protocol).
    init?(_ attributes: NetlinkAttributes, kind: AddressSetType) {
        var address: IPAddress?
        var second: IPAddress?
        var secondPrefix: UInt8?
        var port: UInt16?
        var transport: Transport?
        for attribute in attributes {
            switch Int(attribute.type) {
            case Int(IPSET_ATTR_IP): address = attribute.nested.firstAttribute.flatMap { IPAddress(bytes: $0.payload) }
            case Int(IPSET_ATTR_IP2): second = attribute.nested.firstAttribute.flatMap { IPAddress(bytes: $0.payload) }
            case Int(IPSET_ATTR_CIDR2): secondPrefix = attribute.u8
            case Int(IPSET_ATTR_PORT): port = attribute.networkU16
            case Int(IPSET_ATTR_PROTO): transport = attribute.u8.flatMap(Transport.init(number:))
            default: break
            }
        }
        switch kind {
        case .bitmapPort:
            guard let port else { return nil }
            self = .port(port)
        case .hashIP:
            guard let address else { return nil }
            self = .address(address)
        case .hashIPPort, .hashIPPortIP, .hashIPPortNet:
            guard let address, let port, let transport else { return nil }
            let location = AddressPort(address, port)
            if kind == .hashIPPort {
                self = .addressPort(location, transport)
                return
            }
            guard let second else { return nil }
            if kind == .hashIPPortIP {
                self = .addressPortAddress(location, transport, second)
                return
            }
            guard let net = CIDR(second, prefixLength: secondPrefix.map(Int.init) ?? second.family.addressBits) else { return nil }
            self = .addressPortNet(location, transport, net)
        }
    }
}
