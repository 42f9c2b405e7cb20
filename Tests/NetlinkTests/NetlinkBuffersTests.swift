import Glibc
import SystemPackage
import Testing

@testable import Netlink

@Suite struct `The buffers of a netlink socket` {
    /// Minimum sizes (`SOCK_MIN_SNDBUF`, `SOCK_MIN_RCVBUF`, include/net/sock.h; the kernel doubles the sysctl's minimum), the kernel's defaults,
    /// and sizes with CAP_NET_ADMIN.
    @Test(arguments: [
        (4608, 2304, bytes: 4576, messages: 1, datagram: 288), (9216, 4608, bytes: 9184, messages: 2, datagram: 576),
        (65567, 65536, bytes: 65535, messages: 32, datagram: 8192), (65568, 212_992, bytes: 65536, messages: 104, datagram: 26624),
        (212_992, 425_984, bytes: 65536, messages: 208, datagram: 32768),
        (1 << 20, 16 << 20, bytes: 65536, messages: 1024, datagram: 32768),
        (0, 0, bytes: 0, messages: 1, datagram: 0),
    ])
    func `limit sends and datagrams`(send: Int, receive: Int, bytes: Int, messages: Int, datagram: Int) {
        let buffers = NetlinkBuffers(send: send, receive: receive)
        #expect(buffers.bytesPerSend == bytes)
        #expect(buffers.messagesPerSend == messages)
        #expect(buffers.datagramBytes == datagram)
    }

    /// From the minimum to more than the kernel's largest datagram of a dump.
    private static let receiveSizes = stride(from: 4608, through: 96 * 1024, by: 256).map(Int32.init)

    @Test(arguments: receiveSizes) func `receive a complete dump, however small they are`(size: Int32) throws {
        let large = try families(KernelChannel(generic, timeLimit: 10))
        let channel = try KernelChannel(generic, timeLimit: 10, receiveBytes: size)
        #expect(channel.buffers.receive <= size)
        #expect(try families(channel) == large)
    }

    @Test(arguments: [4608, 20_000, 1 << 20] as [Int32]) func `receive the errors of all messages of a batch, however small they are`(
        size: Int32
    ) throws {
        var batch = NetlinkBatch()
        for number in 0..<3000 {
            // CTRL_CMD_GETFAMILY with CTRL_ATTR_FAMILY_ID: every third one exists. The kernel loads no module for a number.
            var message = try getFamily()
            message.put(1, u16: number % 3 == 0 ? 0x10 : .max)
            try batch.add(message)
        }
        let failures = NetlinkSocket(try KernelChannel(generic, timeLimit: 10, receiveBytes: size)).execute(batch)
        #expect(failures.count == 2000)
        #expect(failures.allSatisfy { $0.key % 3 != 0 && $0.value.code == .kernel(.noSuchFileOrDirectory) })
    }

    @Test func `reject a request that is longer than the send buffer, and the error names the sysctl`() throws {
        let channel = try KernelChannel(generic, timeLimit: 10)
        let error = #expect(throws: NetlinkError.self) { try channel.send([UInt8](repeating: 0, count: channel.buffers.send)) }
        #expect(error?.code == .kernel(.messageTooLong))
        #expect(error?.description.contains("net.core.wmem_max") == true, "\(String(describing: error))")
    }

    private func getFamily(flags: UInt16 = 0) throws -> NetlinkMessage {
        // GENL_ID_CTRL and genlmsghdr.
        var message = try NetlinkMessage(type: 0x10, flags: flags)
        message.putHeader(UInt32(littleEndian: 0x0103))
        return message
    }

    /// The payloads of a dump of all generic netlink families.
    private func families(_ channel: KernelChannel) throws -> [[UInt8]] {
        let socket = NetlinkSocket(channel)
        return try socket.request(try getFamily(flags: dump)).map { Array($0.payload) }
    }
}

/// `NETLINK_GENERIC`.
private let generic: Int32 = 16
/// `NLM_F_DUMP`.
private let dump: UInt16 = 0x300
