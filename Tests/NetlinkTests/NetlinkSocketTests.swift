import Glibc
import SystemPackage
import Testing

@testable import Netlink

private typealias Event = ScriptedChannel.Event

private func dump(_ channel: ScriptedChannel) throws -> [UInt8] {
    try NetlinkSocket(channel).request(try NetlinkMessage(type: 0x19, flags: 0x300)).compactMap(\.payload.first)
}

private func batch(_ count: Int) throws -> NetlinkBatch {
    var batch = NetlinkBatch()
    for _ in 0..<count { try batch.add(try NetlinkMessage(type: 0x20)) }
    return batch
}

@Suite struct `A dump` {
    @Test func `ends with its DONE message, however its messages are split into datagrams`() throws {
        let channel = ScriptedChannel { sequence, _ in
            [
                .kernel(entry(1, sequence: sequence), entry(2, sequence: sequence)), .kernel(entry(3, sequence: sequence)),
                .kernel(entry(4, sequence: sequence), done(sequence: sequence), entry(5, sequence: sequence)),
            ]
        }
        #expect(try dump(channel) == [1, 2, 3, 4])
        #expect(channel.sent.count == 1)
    }

    // NLM_F_DUMP_INTR is 0x10.
    @Test(arguments: [(0x10, 0), (0, 0x10)] as [(UInt16, UInt16)])
    func `that the kernel marks as interrupted is repeated completely`(inEntry: UInt16, inDone: UInt16) throws {
        let channel = ScriptedChannel { sequence, attempt in
            attempt == 0
                ? [
                    .kernel(entry(1, sequence: sequence, flags: inEntry)), .kernel(entry(2, sequence: sequence)),
                    .kernel(done(sequence: sequence, flags: inDone)),
                ]
                : [.kernel(entry(3, sequence: sequence), done(sequence: sequence))]
        }
        #expect(try dump(channel) == [3])
        #expect(channel.sent.count == 2)
    }

    @Test func `that is repeated is counted only once`() throws {
        let channel = ScriptedChannel { sequence, attempt in
            let flags: UInt16 = attempt < 2 ? 0x10 : 0
            return [.kernel(entry(1, sequence: sequence, flags: flags), entry(2, sequence: sequence), done(sequence: sequence))]
        }
        let sum = try NetlinkSocket(channel).request(try NetlinkMessage(type: 0x19, flags: 0x300), into: 100) { sum, reply in
            sum += Int(reply.payload.first ?? 0)
        }
        #expect(sum == 103 && channel.sent.count == 3)
    }

    @Test func `that is interrupted each time fails after a bounded number of attempts`() throws {
        let channel = ScriptedChannel { sequence, _ in [.kernel(entry(1, sequence: sequence, flags: 0x10), done(sequence: sequence))] }
        let error = #expect(throws: NetlinkError.self) { try dump(channel) }
        #expect(error?.code == .interrupted)
        #expect(channel.sent.count == NetlinkSocket.dumpAttempts)
    }

    @Test func `that ends in an error fails with it`() throws {
        let channel = ScriptedChannel { sequence, _ in [.kernel(entry(1, sequence: sequence), done(sequence: sequence, errno: 22))] }
        let error = #expect(throws: NetlinkError.self) { try dump(channel) }
        #expect(error?.code == .kernel(.invalidArgument))
    }

    @Test func `that stops halfway fails after the time limit`() throws {
        let channel = ScriptedChannel { sequence, _ in [.kernel(entry(1, sequence: sequence))] }
        let error = #expect(throws: NetlinkError.self) { try dump(channel) }
        #expect(error?.code == .timedOut)
    }

    @Test(arguments: [.noBufferSpace, .noMemory] as [Errno])
    func `fails if a part of it was lost`(errno: Errno) throws {
        let channel = ScriptedChannel { sequence, _ in
            [.kernel(entry(1, sequence: sequence)), .failure(errno), .kernel(entry(3, sequence: sequence), done(sequence: sequence))]
        }
        let error = #expect(throws: NetlinkError.self) { try dump(channel) }
        #expect(error?.code == .overrun)
    }

    @Test func `fails with the errno of any other failure to receive`() throws {
        let error = #expect(throws: NetlinkError.self) { try dump(ScriptedChannel { _, _ in [.failure(.badFileDescriptor)] }) }
        #expect(error == NetlinkError(.kernel(.badFileDescriptor), detail: "recvfrom"))
    }
}

@Suite struct `A request` {
    private func request(_ socket: borrowing NetlinkSocket) throws -> [UInt8] {
        try socket.request(try NetlinkMessage(type: 0x20, flags: 4)).compactMap(\.payload.first)
    }

    @Test func `ignores a late answer to an earlier request`() throws {
        let socket = NetlinkSocket(
            ScriptedChannel { sequence, attempt in
                attempt == 0
                    ? []
                    : [
                        .kernel(entry(1, sequence: sequence - 1), acknowledgement(sequence - 1, errno: 17)),
                        .kernel(entry(2, sequence: sequence)), .kernel(acknowledgement(sequence)),
                    ]
            })
        let error = #expect(throws: NetlinkError.self) { try request(socket) }
        #expect(error?.code == .timedOut)
        #expect(try request(socket) == [2])
    }

    @Test func `ignores messages of other processes`() throws {
        let socket = NetlinkSocket(
            ScriptedChannel { sequence, _ in
                [
                    .datagram(NetlinkDatagram(bytes: entry(1, sequence: sequence) + acknowledgement(sequence, errno: 1), sender: 4711)),
                    .kernel(entry(2, sequence: sequence), acknowledgement(sequence)),
                ]
            })
        #expect(try request(socket) == [2])
    }

    @Test func `fails with the kernel's errno and message`() throws {
        let socket = NetlinkSocket(ScriptedChannel { sequence, _ in [.kernel(explained(sequence, errno: 3))] })
        #expect(throws: NetlinkError(.kernel(.noSuchProcess), detail: "no such..")) { try request(socket) }
    }

    @Test func `fails if a message is truncated`() throws {
        let socket = NetlinkSocket(
            ScriptedChannel { sequence, _ in [.kernel(entry(1, sequence: sequence).dropLast(2)), .kernel(acknowledgement(sequence))] })
        #expect(throws: NetlinkError(.malformed, detail: "truncated message")) { try request(socket) }
    }

    @Test func `does not treat an answer without an error number as an acknowledgement`() throws {
        let socket = NetlinkSocket(ScriptedChannel { sequence, _ in [.kernel(message(2, sequence: sequence, [0, 0]))] })
        #expect(throws: NetlinkError(.malformed)) { try request(socket) }
    }
}

@Suite struct `The answers to a batch` {
    private func execute(_ count: Int, _ answer: @escaping (UInt32, Int) -> [Event]) throws -> [Int: NetlinkError] {
        try NetlinkSocket(ScriptedChannel(answer)).execute(batch(count))
    }

    @Test func `may be just the acknowledgement of the last request`() throws {
        #expect(try execute(3) { first, _ in [.kernel(acknowledgement(first + 2))] }.isEmpty)
    }

    @Test func `identify failed requests and the reason`() throws {
        let failures = try execute(4) { first, _ in
            [.kernel(explained(first, errno: 3)), .kernel(acknowledgement(first + 2, errno: 17), acknowledgement(first + 3, errno: 4103))]
        }
        #expect(
            failures == [
                0: NetlinkError(.kernel(.noSuchProcess), detail: "no such.."), 2: NetlinkError(.kernel(.fileExists)),
                3: NetlinkError(.subsystem(4103)),
            ])
    }

    @Test func `that were lost count as failures of all requests without an earlier answer`() throws {
        let failures = try execute(4) { first, _ in
            [.kernel(acknowledgement(first + 1, errno: 17)), .failure(.noBufferSpace), .kernel(acknowledgement(first + 3))]
        }
        #expect(failures.mapValues(\.code) == [0: .overrun, 1: .kernel(.fileExists), 2: .overrun, 3: .overrun])
    }

    @Test func `that do not arrive within the time limit count as failures`() throws {
        let failures = try execute(3) { first, _ in [.kernel(acknowledgement(first, errno: 17), acknowledgement(first + 1))] }
        #expect(failures.mapValues(\.code) == [0: .kernel(.fileExists), 1: .timedOut, 2: .timedOut])
    }

    @Test func `of an earlier batch and of other processes are ignored`() throws {
        let failures = try execute(2) { first, _ in
            [
                .kernel(acknowledgement(first &- 1, errno: 17), acknowledgement(first + 2, errno: 17)),
                .datagram(NetlinkDatagram(bytes: acknowledgement(first + 1, errno: 1), sender: 4711)), .kernel(acknowledgement(first + 1)),
            ]
        }
        #expect(failures.isEmpty)
    }

    @Test func `that are lost do not prevent the rest of a long batch from being sent`() throws {
        let limit = 1024
        let failures = try execute(limit + 2) { first, attempt in
            attempt == 0 ? [.failure(.noBufferSpace)] : [.kernel(acknowledgement(first, errno: 17), acknowledgement(first + 1))]
        }
        #expect(failures.count == limit + 1)
        #expect(failures[limit - 1]?.code == .overrun)
        #expect(failures[limit]?.code == .kernel(.fileExists))
        #expect(failures[limit + 1] == nil)
    }
}

@Suite struct `A transaction` {
    /// Of three requests, numbered from the second message.
    private func transact(_ answer: @escaping (UInt32, Int) -> [Event]) throws -> NetlinkRejection? {
        try NetlinkSocket(ScriptedChannel(answer)).transact(
            try batch(3), begin: NetlinkMessage(type: 0x10), end: NetlinkMessage(type: 0x11))
    }

    @Test func `is one send between its begin and end, whose last request is acknowledged`() throws {
        let channel = ScriptedChannel { first, _ in [.kernel(acknowledgement(first + 3))] }
        let rejection = try NetlinkSocket(channel).transact(
            try batch(3), begin: NetlinkMessage(type: 0x10), end: NetlinkMessage(type: 0x11))
        #expect(rejection == nil)
        let sent = try NetlinkReply.all(in: try #require(channel.sent.first))
        #expect(channel.sent.count == 1)
        #expect(sent.map(\.header.type) == [0x10, 0x20, 0x20, 0x20, 0x11])
        #expect(sent.map { $0.header.sequence - sent[0].header.sequence } == [0, 1, 2, 3, 4])
        // NLM_F_REQUEST, NLM_F_ACK
        #expect(sent.map(\.header.flags) == [1, 1, 1, 5, 1])
    }

    @Test func `without requests sends nothing`() throws {
        let channel = ScriptedChannel { _, _ in [] }
        #expect(
            try NetlinkSocket(channel).transact(NetlinkBatch(), begin: NetlinkMessage(type: 0x10), end: NetlinkMessage(type: 0x11)) == nil)
        #expect(channel.sent.isEmpty)
    }

    @Test func `does not succeed when only another request or its end is acknowledged`() {
        #expect(throws: NetlinkError(.timedOut)) {
            try transact { first, _ in [.kernel(acknowledgement(first + 1), acknowledgement(first + 4))] }
        }
    }

    @Test func `reports every request at fault`() throws {
        let rejection = try #require(
            try transact { first, _ in
                [.kernel(explained(first + 1, errno: 2)), .kernel(acknowledgement(first + 2, errno: 17), acknowledgement(first + 3))]
            })
        #expect(
            rejection.failures == [
                0: NetlinkError(.kernel(.noSuchFileOrDirectory), detail: "no such.."), 1: NetlinkError(.kernel(.fileExists)),
            ])
        #expect(rejection.offsets == [0: 20])
        #expect(rejection.isComplete)
    }

    @Test func `reports the requests at fault whose errors fit in the receive buffer, without waiting for others`() throws {
        let rejection = try #require(
            try transact { first, _ in [.failure(.noBufferSpace), .kernel(acknowledgement(first + 1, errno: 2))] })
        #expect(rejection.failures == [0: NetlinkError(.kernel(.noSuchFileOrDirectory))])
        #expect(!rejection.isComplete)
    }

    @Test func `whose replies are all lost has an unknown outcome`() {
        #expect(throws: NetlinkError(.overrun)) { try transact { _, _ in [.failure(.noBufferSpace)] } }
    }

    @Test(arguments: [0, 4] as [UInt32]) func `fails if its begin or end fails`(place: UInt32) {
        #expect(throws: NetlinkError(.kernel(.notPermitted))) {
            try transact { first, _ in [.kernel(acknowledgement(first + place, errno: 1)), .kernel(acknowledgement(first + 3))] }
        }
    }
}

@Suite struct `The kernel's socket` {
    /// `NETLINK_USERSOCK`, for messages between processes.
    private static let family: Int32 = 2

    /// Sends to an address, a `sockaddr_nl`, from another socket of this process.
    private func send(_ bytes: [UInt8], to address: [UInt8]) throws {
        let descriptor = socket(AF_NETLINK, Int32(SOCK_RAW.rawValue), Self.family)
        try #require(descriptor >= 0)
        defer { close(descriptor) }
        let count = address.withUnsafeBytes {
            sendto(descriptor, bytes, bytes.count, 0, $0.baseAddress?.assumingMemoryBound(to: sockaddr.self), socklen_t($0.count))
        }
        try #require(count == bytes.count, "\(Errno(rawValue: errno))")
    }

    /// `sockaddr_nl`: family, padding, `nl_pid`, `nl_groups`.
    private func address(of channel: KernelChannel) -> [UInt8] {
        var address = [UInt8](repeating: 0, count: 12)
        var size = socklen_t(address.count)
        _ = address.withUnsafeMutableBytes {
            getsockname(channel.descriptor, $0.baseAddress?.assumingMemoryBound(to: sockaddr.self), &size)
        }
        return address
    }

    @Test func `receives datagrams of any length completely, each with its sender`() throws {
        let channel = try KernelChannel(Self.family, timeLimit: 10)
        let address = address(of: channel)
        let datagrams = [3, 200_000, 32 * 1024, 32 * 1024 + 1, 5].map { length in (0..<length).map { UInt8(truncatingIfNeeded: $0 / 7) } }
        for datagram in datagrams { try send(datagram, to: address) }
        for datagram in datagrams {
            let received = try channel.receive(waiting: true)
            #expect(received.bytes == datagram, "\(datagram.count) bytes")
            #expect(received.sender != 0)
        }
    }

    @Test func `fails after its time limit if no datagram arrives`() throws {
        let channel = try KernelChannel(Self.family, timeLimit: 1)
        #expect(throws: Errno.resourceTemporarilyUnavailable) { try channel.receive(waiting: true) }
    }
}
