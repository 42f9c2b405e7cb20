import SystemPackage
import Testing

@testable import Netlink

private func hex(_ bytes: some Sequence<UInt8>) -> String {
    bytes.map { ($0 < 16 ? "0" : "") + String($0, radix: 16) }.joined()
}

private func bytes(_ hex: String) -> [UInt8] {
    let digits = Array(hex.filter { !$0.isWhitespace })
    return stride(from: 0, to: digits.count, by: 2).compactMap { UInt8(String(digits[$0...($0 + 1)]), radix: 16) }
}

@Suite struct `Netlink messages` {
    @Test func `have netlink's layout`() throws {
        var message = try NetlinkMessage(type: 0x19, flags: 0x100)
        message.putHeader(UInt32(0x0102_0304))
        message.put(1, u16: 0xabcd)
        message.nest(2) { message in
            message.put(3, networkU16: 80)
            message.put(4, networkU32: 0x0a60_0001, marked: true)
            message.put(5, string: "rr")
        }
        let expected =
            "38000000 1900 0101 00000000 00000000"  // nlmsghdr: length 56, type, NLM_F_REQUEST | 0x100
            + "04030201"  // protocol header
            + "0600 0100 cdab 0000"  // u16, padded
            + "1c00 0280"  // nest with NLA_F_NESTED
            + "0600 0300 0050 0000"  // port 80 in network order, padded
            + "0800 0440 0a600001"  // address in network order with NLA_F_NET_BYTEORDER
            + "0700 0500 727200 00"  // "rr" with its NUL, padded
        #expect(hex(try message.bytes()) == hex(bytes(expected)))
    }

    @Test func `report a full buffer`() throws {
        var message = try NetlinkMessage(type: 1, capacity: 32)
        for _ in 0..<8 { message.put(1, u32: 7) }
        let error = #expect(throws: NetlinkError.self) { try message.bytes() }
        #expect(error?.detail == "message exceeds its buffer")
    }
}

@Suite struct `A batch` {
    private func batch(_ count: Int) throws -> NetlinkBatch {
        var batch = NetlinkBatch()
        for _ in 0..<count {
            var message = try NetlinkMessage(type: 0x20)
            message.put(1, u8: 7)
            try batch.add(message)
        }
        return batch
    }

    @Test func `numbers its messages and requests one acknowledgement, at the end`() throws {
        let sent = try batch(3).bytes(of: 0..<3, numberedFrom: 100)
        let headers = try NetlinkReply.all(in: sent).map(\.header)
        #expect(headers.map(\.sequence) == [100, 101, 102])
        #expect(headers.map { $0.flags & 0x4 } == [0, 0, 4])
        #expect(sent.count == 3 * 24)
    }

    @Test func `is split into sends of limited size`() throws {
        let batch = try batch(10)
        #expect(batch.chunks(NetlinkBuffers(send: 24 * 4 + 32, receive: 1 << 20)) == [0..<4, 4..<8, 8..<10])
        #expect(batch.chunks(NetlinkBuffers(send: 1 << 20, receive: 3 * 2048)) == [0..<3, 3..<6, 6..<9, 9..<10])
        #expect(batch.chunks(NetlinkBuffers(send: 1, receive: 1 << 20)).count == 10)
        #expect(NetlinkBatch().chunks(NetlinkBuffers(send: 100, receive: 1 << 20)).isEmpty)
    }
}

@Suite struct `Answers` {
    @Test func `contain the kernel's errno and message`() throws {
        let answer = bytes(
            "34000000 0200 0003 07000000 00000000"  // NLMSG_ERROR, NLM_F_CAPPED | NLM_F_ACK_TLVS, sequence 7
                + "fdffffff"  // -3: ESRCH
                + "40000000 2000 0500 07000000 00000000"  // the request's header
                + "0e00 0100 6e6f2073756368 2e2e00 0000")  // NLMSGERR_ATTR_MSG
        let reply = try #require(NetlinkReply.all(in: answer).first)
        let acknowledgement = try #require(NetlinkAcknowledgement(reply))
        #expect(acknowledgement.error?.code == .kernel(.noSuchProcess))
        #expect(acknowledgement.error?.detail == "no such..")
    }

    @Test func `with error number 0 are acknowledgements`() throws {
        let reply = try #require(
            NetlinkReply.all(in: bytes("24000000 0200 0001 01000000 00000000 00000000 20000000 2000 0500 01000000 00000000")).first)
        #expect(try #require(NetlinkAcknowledgement(reply)).error == nil)
    }

    @Test func `of a subsystem keep their own error numbers`() {
        #expect(NetlinkError.kernelNumber(4103, detail: nil).code == .subsystem(4103))
        #expect(NetlinkError.kernelNumber(17, detail: nil).code == .kernel(.fileExists))
    }

    @Test(arguments: 0..<500 as Range<UInt64>) func `of arbitrary bytes are parsed without a crash`(seed: UInt64) {
        var state = seed &* 0x9e37_79b9_7f4a_7c15 | 1
        func next() -> UInt8 {
            state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
            return UInt8(truncatingIfNeeded: state >> 33)
        }
        var datagram = (0..<Int(next())).map { _ in next() }
        // Half of them begin with a length that fits, so that the parser gets further.
        if seed % 2 == 0, datagram.count >= 20 {
            datagram.replaceSubrange(0..<4, with: [UInt8(datagram.count), 0, 0, 0])
            datagram.replaceSubrange(4..<8, with: [2, 0, 0, 3])
        }
        var count = 0
        for reply in (try? NetlinkReply.all(in: datagram)) ?? [] {
            _ = NetlinkAcknowledgement(reply)
            for attribute in NetlinkAttributes(reply.payload) {
                _ = (attribute.u8, attribute.u16, attribute.u32, attribute.u64, attribute.string, attribute.networkU16)
                for inner in attribute.nested { _ = inner.payload.count }
            }
            count += 1
        }
        #expect(count <= datagram.count / 16)
    }
}

@Suite struct `A failed request` {
    @Test(
        arguments: [
            .resourceTemporarilyUnavailable, .resourceBusy, .interrupted, .noMemory, .noBufferSpace, .tooManyOpenFiles,
            .tooManyOpenFilesInSystem, .timedOut,
        ] as [Errno])
    func `is temporary if the machine is busy or short of resources`(errno: Errno) {
        #expect(errno.isTemporary && NetlinkError(.kernel(errno)).isTemporary)
    }

    @Test(
        arguments: [
            .noSuchFileOrDirectory, .noSuchProcess, .notPermitted, .permissionDenied, .invalidArgument, .notSupported,
            .addressFamilyNotSupported, .protocolNotSupported, .protocolNotAvailable, .fileExists, .operationNotSupportedByDevice,
            .readOnlyFileSystem,
        ] as [Errno])
    func `is permanent for other reasons`(errno: Errno) {
        #expect(!errno.isTemporary && !NetlinkError(.kernel(errno)).isTemporary)
    }

    @Test func `is temporary if the answer was lost or libnl gives no specific reason`() {
        for code in [.overrun, .timedOut, .interrupted, .library(1), .library(2), .library(4), .library(5), .library(25)]
            as [NetlinkError.Code]
        {
            #expect(NetlinkError(code).isTemporary, "\(code)")
        }
        for code in [.malformed, .subsystem(4103), .library(28)] as [NetlinkError.Code] {
            #expect(!NetlinkError(code).isTemporary, "\(code)")
        }
    }
}

@Suite struct `The number of a generic netlink family` {
    @Test func `is the kernel's number`() throws {
        // GENL_ID_CTRL, the only fixed number.
        #expect(try NetlinkSocket.open(.generic).resolveFamily("nlctrl") == 0x10)
    }

    @Test func `of an unknown family is distinguished from other failures`() {
        let error = #expect(throws: NetlinkError.self) { try NetlinkSocket.open(.generic).resolveFamily("no-such-family") }
        #expect(error?.code == .kernel(.noSuchFileOrDirectory))
    }
}
