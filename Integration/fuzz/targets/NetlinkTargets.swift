import CNetlink
import Model
import SystemPackage

@testable import KernelDataplane
@testable import Netlink
@testable import Reconciler
@testable import Translation

extension FuzzTarget {
    /// Messages of the kernel, read by everything that reads any.
    ///
    /// The first byte is even for a datagram, and odd for one message without its header, whose type is the next two bytes.
    static let netlink = FuzzTarget("netlink") { bytes in
        var choices = Choices(bytes)
        var replies: [NetlinkReply]
        if choices.byte() % 2 == 0 {
            // A datagram that ends in the middle of a message is an error of its own.
            replies = (try? NetlinkReply.all(in: Array(choices.rest))) ?? []
        } else {
            let type = choices.number()
            // `nlmsghdr`, with NLM_F_MULTI, NLM_F_CAPPED and NLM_F_ACK_TLVS.
            var message: [UInt8] = Array(repeating: 0, count: NetlinkHeader.size) + choices.rest
            message.withUnsafeMutableBytes { bytes in
                bytes.storeBytes(of: UInt32(bytes.count), as: UInt32.self)
                bytes.storeBytes(of: type, toByteOffset: 4, as: UInt16.self)
                bytes.storeBytes(of: 0x302, toByteOffset: 6, as: UInt16.self)
            }
            replies = try NetlinkReply.all(in: message)
        }
        for reply in replies.prefix(64) { try read(reply) }
        try readNFTables(replies)
    }

    private static func read(_ reply: NetlinkReply) throws {
        if let acknowledgement = NetlinkAcknowledgement(reply) { _ = acknowledgement.error?.description }
        if let service = IPVSService(reply) { try rewrite(service) }
        for family in IPFamily.allCases {
            _ = IPVSDestination(reply, serviceFamily: family).map { ($0.realServer, "\($0)") }
        }
        _ = IPVSInfo(reply)
        _ = IPVSTimeouts(reply).seconds
        _ = Link(reply)
        _ = InterfaceAddress(reply)
        for owner in [RouteMessages.Owner.proxy, .kernel] { _ = InterfaceRoute(reply, of: owner) }
        if let flow = ConntrackFlow(reply) { _ = try ConntrackMessages.delete(flow).bytes() }
        for kind in AddressSetType.allCases { try rewrite(IPSetListing(reply, kind: kind), kind) }
        _ = IPSetListing(reply, kind: nil)
    }

    /// What is written from a virtual server is read as the same one.
    private static func rewrite(_ service: IPVSService) throws {
        guard let server = service.virtualServer else { return }
        let message = try IPVSMessages(family: 0x1c).newService(server).bytes()
        guard let reply = try NetlinkReply.all(in: message).first, let again = IPVSService(reply)?.virtualServer else {
            throw BrokenPromise(description: "a virtual server is not read from its own message: \(server)")
        }
        try require(again.identity == server.identity, "\(server.identity) is read as \(again.identity)")
    }

    /// What is written from a member is read as the same one.
    private static func rewrite(_ listing: IPSetListing, _ kind: AddressSetType) throws {
        for member in listing.members.prefix(64) {
            let message = try IPSetMessages.add(member, to: AddressSet.Name("SET")).bytes()
            let reply = try NetlinkReply.all(in: message).first
            let attributes = NetlinkAttributes(reply?.payload.dropFirst(4) ?? [])
            let again = attributes.first { $0.type == UInt16(IPSET_ATTR_DATA) }.flatMap { AddressSet.Member($0.nested, kind: kind) }
            try require(again == member, "the member \(member) is read as \(String(describing: again))")
        }
    }

    private static func readNFTables(_ replies: [NetlinkReply]) throws {
        let table = BackendRules.tableName
        var rules: [String: [NFTRule]] = [:]
        for reply in replies.prefix(256) {
            _ = NFTChain(reply, table: table)
            if let set = NFTSet(reply, table: table) {
                // A key of this program's types has one number.
                try require(set.key.isEmpty || [NFTSet.Part](typeNumber: set.key.typeNumber) == set.key, "the key of \(set)")
            }
            _ = NFTElement.all(in: reply)
            _ = NFTCounter(reply, table: table)
            guard let rule = NFTRule(reply, table: table) else { continue }
            rules[rule.chain, default: []].append(rule)
            for family in IPFamily.allCases {
                let coding = RuleExpressions(family: family, kinds: FuzzTarget.kinds)
                for tableOfRules in Rules.Table.allCases {
                    let read = coding.rule(rule, in: Rules.Chain(tableOfRules, "KUBE-SERVICES"))
                    _ = RuleText.text(read, family)
                }
            }
            try rewrite(rule)
        }
        for base in replies.prefix(256).compactMap({ NFTBaseChain($0) }) {
            _ = DroppingChain(base, rules: rules).map { "\($0) \($0.advice)" }
        }
    }

    private static func rewrite(_ rule: NFTRule) throws {
        // A comment is cut, and others' expressions are not written.
        let isOurs = rule.expressions.allSatisfy { if case .other = $0 { false } else { true } }
        guard isOurs, rule.comment?.utf8.count ?? 0 <= NFTRule.maximumCommentBytes, rule.comment != "" else { return }
        let command = NFTCommand.addRule(rule)
        // A rule may be longer than this program's own.
        guard let bytes = try? command.message(table: BackendRules.tableName, .ipv4, setNumber: 1).bytes(),
            let reply = try NetlinkReply.all(in: bytes).first
        else { return }
        let again = NFTRule(reply, table: BackendRules.tableName)
        try require(again == rule, "\(rule) is read as \(String(describing: again))")
    }

    private static let kinds = [
        "KUBE-CLUSTER-IP": AddressSetType.hashIPPort, "KUBE-LOOP-BACK": .hashIPPortIP, "KUBE-LOAD-BALANCER-SOURCE-CIDR": .hashIPPortNet,
        "KUBE-NODE-PORT-TCP": .bitmapPort, "KUBE-IPVS-IPS": .hashIP,
    ]

    /// The answers to requests: each part of an input is a length, a choice of the sequence number, and a datagram.
    static let netlinkSocket = FuzzTarget("netlink-socket") { bytes in
        let requested = FuzzedChannel(bytes)
        let socket = NetlinkSocket(requested)
        func request() throws -> NetlinkMessage { try NetlinkMessage(type: 0x20, flags: UInt16(NLM_F_ACK)) }
        // Almost all of these answers are errors, which are right as long as nothing crashes or hangs.
        _ = try? socket.request(try request())
        _ = try? socket.resolveFamily("IPVS")
        let kept = try? socket.request(try request(), keepingAtMost: 2) { $0 }
        try require(kept?.count ?? 0 <= 2, "more replies are kept than requested")

        var batch = NetlinkBatch()
        for _ in 0..<3 { try batch.add(try request()) }
        let executing = FuzzedChannel(bytes)
        let failures = NetlinkSocket(executing).execute(batch)
        try require(failures.keys.allSatisfy(batch.indices.contains), "an error of a request that was not sent: \(failures)")
        try require(failures.count == batch.count || executing.hasAcknowledged(2), "requests succeed without an acknowledgement")

        let transacting = FuzzedChannel(bytes)
        let rejection = try? NetlinkSocket(transacting).transact(
            batch, begin: try NFTablesMessages.begin(), end: try NFTablesMessages.end())
        if let rejection {
            try require(!rejection.failures.isEmpty, "a rejection without a request at fault")
            try require(rejection.failures.keys.allSatisfy(batch.indices.contains), "an error of another request: \(rejection)")
        }
    }

    /// The values of the socket options of IPVS.
    static let socketOptions = FuzzTarget("socket-options") { bytes in
        var choices = Choices(bytes)
        let count = Int(choices.byte()) % 4
        let location = AddressPort(IPAddress(v4: 0x0a60_0001), 80)
        let server = VirtualServer(
            .init(.tcp, location), realServers: (0..<count).map { RealServer(AddressPort(IPAddress(v4: 0x0a00_0001 + UInt32($0)), 8080)) })
        let content = choices.rest
        let options = IPVSSocketOptions { _, value, length in
            for (index, byte) in content.prefix(length).enumerated() {
                value[index / 8] |= UInt64(byte) << (index % 8 * 8)
            }
            // More than requested: the kernel has more entries.
            return content.count > length + 4096 ? .noSuchProcess : nil
        }
        _ = options.hasExpectedRealServers(server)
        _ = options.compareHeaders(with: NodeState(virtualServers: [server]))
    }
}

extension NetlinkBatch {
    fileprivate var indices: Range<Int> { 0..<count }
}

/// A kernel whose datagrams are an input. After them, the time limit expires.
private final class FuzzedChannel: NetlinkChannel {
    let descriptor: Int32 = -1
    let buffers = NetlinkBuffers(send: 1 << 17, receive: 1 << 20)
    let port: UInt32 = 1
    let filtersDumps = true
    private var choices: Choices
    private var sequence: UInt32 = 0
    private var acknowledged: Set<UInt32> = []

    init(_ bytes: [UInt8]) { choices = Choices(bytes) }

    /// Whether the request at this place of the last send was acknowledged or failed.
    func hasAcknowledged(_ place: UInt32) -> Bool { acknowledged.contains(sequence &+ place) }

    func send(_ bytes: [UInt8]) { sequence = hostOrder(bytes[8...]) ?? 0 }

    func receive(waiting: Bool) throws(Errno) -> NetlinkDatagram {
        guard !choices.rest.isEmpty else { throw .resourceTemporarilyUnavailable }
        let kind = choices.byte()
        if kind == 0xff { throw .noBufferSpace }
        var datagram = choices.bytes(Int(choices.byte()))
        // Few inputs would guess the number.
        if kind % 8 < 6, datagram.count >= 16 { NetlinkHeader.setSequence(sequence &+ UInt32(kind % 8), in: &datagram, at: 0) }
        for reply in (try? NetlinkReply.all(in: datagram)) ?? [] where reply.header.type == 2 { acknowledged.insert(reply.header.sequence) }
        return NetlinkDatagram(bytes: datagram, sender: kind == 0xfe ? 1 : 0)
    }
}
