import Kubernetes
import NIOCore
import SwiftProtobuf
import Testing

@testable import KubernetesAPI

@Suite struct `Bytes from the API server` {
    /// The addresses of the memory of some bytes.
    private func memory(_ bytes: WireBytes) throws -> Range<UInt> {
        let range = bytes.view.withContiguousStorageIfAvailable { bytes in
            let start = UInt(bitPattern: bytes.baseAddress)
            return start..<start + UInt(bytes.count)
        }
        return try #require(range)
    }

    private func frame() -> [UInt8] {
        var slice = ProtoEndpointSlice()
        slice.metadata = WatchFrames.metadata("web-1")
        slice.addressType = "IPv4"
        return WatchFrames.frame("ADDED", WatchFrames.object(slice, kind: "EndpointSlice", apiVersion: "discovery.k8s.io/v1"))
    }

    @Test func `of complete frames are not copied`() throws {
        let chunk = WireBytes(frame() + frame() + [0])
        var buffer = FrameBuffer(contentType: .protobuf, maximumFrameBytes: 1 << 20)
        buffer.append(chunk)
        for _ in 0..<2 {
            let frame = try #require(try buffer.next())
            let (whole, part) = try (memory(chunk), memory(frame))
            #expect(whole.contains(part))
        }
        #expect(try buffer.next() == nil)
        buffer.compact()
        #expect(!buffer.isEmpty)
    }

    @Test func `of an object are not copied out of its envelope`() throws {
        let body = WireBytes(try Recording("services-list", .protobuf).bytes)
        let content = try ProtobufEnvelope(body).content
        #expect(content.count > body.count / 2)
        let whole = try memory(body)
        let part = try memory(content)
        #expect(whole.contains(part))
        var fields = ProtobufFields(content, of: "ServiceList")
        while let field = try fields.next() {
            let part = try memory(field.bytes)
            #expect(whole.contains(part))
        }
    }

    @Test func `are split into the fields that the library writes`() throws {
        var list = ProtoObjectList()
        list.metadata.resourceVersion = "9"
        list.items = (0..<300).map { .init(repeating: UInt8(truncatingIfNeeded: $0), count: $0) }
        var fields = ProtobufFields(WireBytes(WatchFrames.bytes(list)), of: "ServiceList")
        var items: [[UInt8]] = []
        while let field = try fields.next() {
            if field.number == 2 { items.append(field.bytes.bytes) } else { #expect(field.number == 1) }
        }
        #expect(items == list.items.map { Array($0) })
    }

    @Test func `may have fields of other types and with long numbers`() throws {
        // A varint, 8 and 4 bytes, and field 20 with two bytes.
        let bytes: [UInt8] = [0x08, 0xff, 0x01, 0x11, 1, 2, 3, 4, 5, 6, 7, 8, 0x1d, 1, 2, 3, 4, 0xa2, 0x01, 2, 7, 9]
        var fields = ProtobufFields(WireBytes(bytes), of: "Unknown")
        let field = try #require(try fields.next())
        #expect(field.number == 20)
        #expect(field.bytes.bytes == [7, 9])
        #expect(try fields.next() == nil)
    }

    @Test(
        arguments: [
            [0x12], [0x12, 5, 1], [0x12, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x01], [0x11, 1, 2], [0x1d, 1], [0x80],
            [0x13, 0x14], [0x02, 0], [0x08, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x01],
        ] as [[UInt8]]) func `that are malformed are an error`(bytes: [UInt8])
    {
        var fields = ProtobufFields(WireBytes(bytes), of: "Unknown")
        #expect(throws: WireError.self) {
            while try fields.next() != nil {}
        }
    }
}
