internal import FoundationEssentials
internal import NIOCore
internal import SwiftProtobuf

/// Bytes from the API server: a part of a buffer of the connection, which is shared and not copied.
public struct WireBytes: Sendable {
    private let buffer: ByteBuffer
    /// The range within the readable bytes of the buffer.
    private let range: Range<Int>

    public init(_ bytes: some Sequence<UInt8>) { self.init(ByteBuffer(bytes: bytes)) }

    init(_ buffer: ByteBuffer) {
        self.buffer = buffer
        range = 0..<buffer.readableBytes
    }

    private init(_ buffer: ByteBuffer, _ range: Range<Int>) {
        self.buffer = buffer
        self.range = range
    }

    public var count: Int { range.count }

    /// A copy.
    public var bytes: [UInt8] { Array(view) }

    /// A copy.
    var data: Data { Data(view) }

    /// The text; nil if it is not UTF-8.
    var text: String? { String(validating: view, as: UTF8.self) }

    /// The bytes as a collection, whose indices begin at its `startIndex`.
    var view: ByteBufferView {
        let all = buffer.readableBytesView
        return all[all.startIndex + range.lowerBound..<all.startIndex + range.upperBound]
    }

    /// A buffer with these bytes, whose memory is shared if they are all of it.
    var shared: ByteBuffer { range.count == buffer.readableBytes ? buffer : ByteBuffer(view) }

    /// A byte; the position is relative to these bytes.
    subscript(position: Int) -> UInt8 { view[view.startIndex + position] }

    /// A part, in the same memory. The range is relative to these bytes.
    subscript(part: Range<Int>) -> WireBytes {
        WireBytes(buffer, range.lowerBound + part.lowerBound..<range.lowerBound + part.upperBound)
    }

    /// Decodes a message in place.
    func message<M: Message>(_ options: BinaryDecodingOptions) throws -> M {
        try M(serializedBytes: buffer.readableBytesSpan.extracting(range), partial: true, options: options)
    }
}

extension WireBytes: Hashable {
    public static func == (lhs: WireBytes, rhs: WireBytes) -> Bool { lhs.view.elementsEqual(rhs.view) }

    public func hash(into hasher: inout Hasher) { hasher.combine(bytes) }
}
