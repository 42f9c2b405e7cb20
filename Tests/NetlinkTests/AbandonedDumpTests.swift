import SystemPackage
import Testing

@testable import Netlink

/// A kernel that generates the next part of a dump when one is received, and has one dump at a time (net/netlink/af_netlink.c).
private final class DumpingChannel: NetlinkChannel {
    let descriptor: Int32 = -1
    let buffers = NetlinkBuffers(send: 1 << 17, receive: 16 << 20)
    let port: UInt32 = 1
    let filtersDumps = true

    /// What happens instead of receiving a part.
    enum Fault {
        /// There is no memory for the part, or no space in the receive buffer; nothing is left to receive.
        case noPart
        case malformed
    }

    private let parts: Int
    /// By the number of the part, counted over all dumps.
    private var faults: [Int: Fault]
    private var queue: [[UInt8]] = []
    private var error: Errno?
    /// The dump that has not ended: its sequence number and the next part.
    private var running: (sequence: UInt32, part: Int)?
    private var generated = 0
    private(set) var refusals = 0

    init(parts: Int, _ faults: [Int: Fault]) { (self.parts, self.faults) = (parts, faults) }

    func send(_ bytes: [UInt8]) {
        let sequence = bytes[8..<12].reversed().reduce(0) { $0 << 8 | UInt32($1) }
        guard running == nil else {
            refusals += 1
            queue.append(acknowledgement(sequence, errno: 16))
            return
        }
        running = (sequence, 1)
        generate()
    }

    private func generate() {
        guard let (sequence, part) = running else { return }
        generated += 1
        switch faults.removeValue(forKey: generated) {
        case .malformed: queue.append([200, 0, 0, 0] + Array(repeating: 0, count: 16))
        case .noPart:
            error = .noBufferSpace
            return
        case nil: queue.append(part > parts ? done(sequence: sequence) : entry(UInt8(truncatingIfNeeded: part), sequence: sequence))
        }
        running = part > parts ? nil : (sequence, part + 1)
    }

    func receive(waiting: Bool) throws(Errno) -> NetlinkDatagram {
        if let error {
            self.error = nil
            throw error
        }
        guard !queue.isEmpty else { throw .resourceTemporarilyUnavailable }
        let bytes = queue.removeFirst()
        generate()
        return NetlinkDatagram(bytes: bytes)
    }
}

@Suite struct `A dump after one that failed halfway` {
    private func dump(_ socket: borrowing NetlinkSocket) throws -> Int {
        try socket.request(try NetlinkMessage(type: 0x19, flags: 0x300)).count
    }

    @Test func `is not refused because the kernel still runs that one`() throws {
        let channel = DumpingChannel(parts: 100, [20: .malformed])
        #expect(try dump(NetlinkSocket(channel)) == 100)
        #expect(channel.refusals == 0)
    }

    @Test func `is not refused if that one failed for good`() throws {
        let channel = DumpingChannel(parts: 100, [20: .malformed, 120: .malformed, 220: .malformed])
        let socket = NetlinkSocket(channel)
        #expect(throws: NetlinkError.self) { try dump(socket) }
        #expect(try dump(socket) == 100)
        #expect(channel.refusals == 0)
    }

    @Test func `succeeds although the kernel had no memory for a part of that one`() throws {
        let channel = DumpingChannel(parts: 100, [20: .noPart])
        #expect(try dump(NetlinkSocket(channel)) == 100)
        #expect(channel.refusals == 1, "nothing was left to receive, so the refusal is the first sign that the kernel still runs it")
    }

    @Test(arguments: [4, 16, 12, 105, 11] as [Int32]) func `fails with the kernel's error if that stays`(errno: Int32) throws {
        let channel = ScriptedChannel { sequence, _ in [.kernel(acknowledgement(sequence, errno: errno))] }
        let error = #expect(throws: NetlinkError.self) { try dump(NetlinkSocket(channel)) }
        #expect(error?.code == .kernel(Errno(rawValue: errno)))
        #expect(channel.sent.count == NetlinkSocket.readAttempts)
    }

    @Test func `is left to the caller after a timeout, and after an error that stays`() throws {
        for events in [[], [ScriptedChannel.Event.failure(.badFileDescriptor)]] {
            let channel = ScriptedChannel { _, _ in events }
            #expect(throws: NetlinkError.self) { try dump(NetlinkSocket(channel)) }
            #expect(channel.sent.count == 1)
        }
    }
}
