import SystemPackage

@testable import Netlink

/// A kernel that answers each send as defined by the test. When nothing is left to receive, the time limit expires.
final class ScriptedChannel: NetlinkChannel {
    enum Event {
        case datagram(NetlinkDatagram)
        case failure(Errno)

        /// Messages of the kernel in one datagram.
        static func kernel(_ messages: [UInt8]...) -> Event { .datagram(NetlinkDatagram(bytes: messages.flatMap(\.self))) }
    }

    let descriptor: Int32 = -1
    let port: UInt32 = 1
    let buffers = NetlinkBuffers(send: 1 << 17, receive: 16 << 20)
    let filtersDumps = true
    private(set) var sent: [[UInt8]] = []
    private var events: [Event] = []
    private let answer: (_ sequence: UInt32, _ attempt: Int) -> [Event]

    /// - Parameter answer: gets the sequence number of the first message of a send, and the number of earlier sends.
    init(_ answer: @escaping (_ sequence: UInt32, _ attempt: Int) -> [Event]) { self.answer = answer }

    func send(_ bytes: [UInt8]) {
        events += answer(bytes[8..<12].reversed().reduce(0) { $0 << 8 | UInt32($1) }, sent.count)
        sent.append(bytes)
    }

    func receive(waiting: Bool) throws(Errno) -> NetlinkDatagram {
        guard !events.isEmpty else { throw .resourceTemporarilyUnavailable }
        switch events.removeFirst() {
        case .datagram(let datagram): return datagram
        case .failure(let errno): throw errno
        }
    }
}

/// The number's bytes in little-endian order, the byte order of the hosts that run these tests.
private func littleEndian(_ number: some FixedWidthInteger, _ count: Int) -> [UInt8] {
    (0..<count).map { UInt8(truncatingIfNeeded: number >> ($0 * 8)) }
}

/// `nlmsghdr` and payload.
func message(_ type: UInt16, flags: UInt16 = 0, sequence: UInt32, _ payload: [UInt8]) -> [UInt8] {
    littleEndian(16 + payload.count, 4) + littleEndian(type, 2) + littleEndian(flags, 2) + littleEndian(sequence, 4) + [0, 0, 0, 0]
        + payload
}

/// A dump message (`NLM_F_MULTI`) with one number.
func entry(_ value: UInt8, sequence: UInt32, flags: UInt16 = 0) -> [UInt8] {
    message(0x19, flags: 0x2 | flags, sequence: sequence, [value, 0, 0, 0])
}

/// `NLMSG_DONE` with its error number.
func done(sequence: UInt32, errno: Int32 = 0, flags: UInt16 = 0) -> [UInt8] {
    message(3, flags: 0x2 | flags, sequence: sequence, littleEndian(-errno, 4))
}

/// `NLMSG_ERROR` with `NLM_F_CAPPED`: the error number, 0 for an acknowledgement, and the header of the request.
func acknowledgement(_ sequence: UInt32, errno: Int32 = 0) -> [UInt8] {
    message(2, flags: 0x100, sequence: sequence, littleEndian(-errno, 4) + message(0x20, flags: 5, sequence: sequence, []))
}

/// `NLMSG_ERROR` with `NLM_F_CAPPED | NLM_F_ACK_TLVS`: as `acknowledgement`, and then `NLMSGERR_ATTR_OFFS` 20 and `NLMSGERR_ATTR_MSG` "no such..".
func explained(_ sequence: UInt32, errno: Int32) -> [UInt8] {
    message(
        2, flags: 0x300, sequence: sequence,
        littleEndian(-errno, 4) + message(0x20, flags: 5, sequence: sequence, [])
            + [8, 0, 2, 0, 20, 0, 0, 0]
            + [14, 0, 1, 0] + Array("no such..".utf8) + [0, 0, 0])
}
