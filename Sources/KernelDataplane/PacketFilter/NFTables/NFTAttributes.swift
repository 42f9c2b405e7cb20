internal import CNetlink
internal import Netlink

/// Attributes by the kernel's names; numbers are in network order, as almost everywhere in nf_tables.
extension NetlinkMessage {
    mutating func put(_ attribute: some RawRepresentable<UInt32>, _ number: UInt32) {
        put(Int(attribute.rawValue), networkU32: number)
    }

    mutating func put(_ attribute: some RawRepresentable<UInt32>, _ string: String) {
        put(Int(attribute.rawValue), string: string)
    }

    mutating func put(_ attribute: some RawRepresentable<UInt32>, _ register: NFTRegister) {
        put(attribute, NFT_REG32_00.rawValue + UInt32(register.number))
    }

    mutating func nest(_ attribute: some RawRepresentable<UInt32>, _ body: (inout NetlinkMessage) -> Void) {
        nest(Int(attribute.rawValue), body)
    }

    /// A value, such as a key or an operand.
    mutating func put(_ attribute: some RawRepresentable<UInt32>, data: [UInt8]) {
        nest(attribute) { $0.put(Int(NFTA_DATA_VALUE.rawValue), bytes: data) }
    }
}

/// The attributes of a message or a nest, by the kernel's names.
struct NFTAttributes {
    private let attributes: NetlinkAttributes

    init(_ attributes: NetlinkAttributes) { self.attributes = attributes }

    /// The attributes of a message, after the 4-byte nfgenmsg.
    init(_ reply: NetlinkReply) { attributes = NetlinkAttributes(reply.payload.dropFirst(4)) }

    subscript(_ attribute: some RawRepresentable<UInt32>) -> NetlinkAttributes.Attribute? {
        attributes.first { $0.type == UInt16(attribute.rawValue) }
    }

    func number(_ attribute: some RawRepresentable<UInt32>) -> UInt32? { self[attribute]?.networkU32 }
    func string(_ attribute: some RawRepresentable<UInt32>) -> String? { self[attribute]?.string }
    func nested(_ attribute: some RawRepresentable<UInt32>) -> NFTAttributes? { self[attribute].map { NFTAttributes($0.nested) } }

    /// The bytes of a value.
    func data(_ attribute: some RawRepresentable<UInt32>) -> [UInt8]? {
        nested(attribute)?[NFTA_DATA_VALUE].map { Array($0.payload) }
    }

    /// The items of a list.
    func list(_ attribute: some RawRepresentable<UInt32>) -> some Sequence<NFTAttributes> {
        (self[attribute]?.nested ?? NetlinkAttributes([])).lazy.map { NFTAttributes($0.nested) }
    }

    /// The kernel returns a register that starts a register of 16 bytes as that one (`nft_dump_register`, net/netfilter/nf_tables_api.c).
    func register(_ attribute: some RawRepresentable<UInt32>) -> NFTRegister? {
        switch number(attribute) {
        case .some(let number) where number >= NFT_REG32_00.rawValue: NFTRegister(Int(number - NFT_REG32_00.rawValue))
        case .some(let number) where number >= NFT_REG_1.rawValue: NFTRegister(Int(number - NFT_REG_1.rawValue) * 4)
        default: nil
        }
    }
}
