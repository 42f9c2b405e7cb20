internal import CNetlink
internal import Model
internal import Netlink

/// A part of a set's listing: the first message describes the set, each holds some members.
struct IPSetListing {
    var typeName: String?
    var family: IPFamily?
    var capacity: UInt32?
    var members: [AddressSet.Member] = []

    /// - Parameter kind: how members are to be read; nil until the first message said what type the set is of.
    init(_ reply: NetlinkReply, kind: AddressSet.Kind?) {
        // Behind the 4-byte nfgenmsg.
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
        guard let entries, let kind = kind ?? typeName.flatMap(AddressSet.Kind.init(rawValue:)) else { return }
        for entry in entries where entry.type == UInt16(IPSET_ATTR_DATA) {
            if let member = AddressSet.Member(entry.nested, kind: kind) { members.append(member) }
        }
    }
}

extension AddressSet.Member {
    /// Nil where the kernel's entry is not one that this program could have made (a protocol or a port range of others).
    init?(_ attributes: NetlinkAttributes, kind: AddressSet.Kind) {
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
