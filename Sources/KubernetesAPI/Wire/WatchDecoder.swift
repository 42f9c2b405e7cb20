internal import NIOCore

/// Decodes the stream of a watch from chunks of any size.
///
/// In JSON, an event is a line. In protobuf, it is a frame: a 4-byte big-endian length and a `meta/v1` WatchEvent.
public struct WatchDecoder<Object: APIObject>: Sendable {
    /// The objects of the last `feed` that failed to decode. Without a name, the changed object is unknown, and only a list can show the
    /// change.
    public private(set) var problems: [WireProblem] = []

    /// Why the stream cannot be read any further; the next `feed` throws it.
    public private(set) var failure: WireError?

    private let contentType: ContentType
    private var buffer: FrameBuffer

    public init(contentType: ContentType, maximumFrameBytes: Int = 16 << 20) {
        self.contentType = contentType
        buffer = FrameBuffer(contentType: contentType, maximumFrameBytes: maximumFrameBytes)
    }

    /// Whether the stream may end here: no event is incomplete, and nothing has failed.
    public var isAtFrameBoundary: Bool { buffer.isEmpty && failure == nil }

    /// Decodes the next bytes and returns the events that they complete, in order.
    ///
    /// An object that fails to decode is added to `problems`, and the events around it are returned. An invalid event ends the stream: the
    /// events before it in the same bytes are returned, `failure` is set, and the next call throws it.
    public mutating func feed(_ bytes: some Sequence<UInt8>) throws(WireError) -> [WatchEvent<Object>] {
        try outcomes(WireBytes(bytes)).compactMap { outcome in
            if case .event(let event) = outcome { event } else { nil }
        }
    }

    /// As `feed`, with the problems in order among the events: an object that fails to decode before the end of a list is part of that
    /// list.
    mutating func outcomes(_ bytes: WireBytes) throws(WireError) -> [EventOutcome<Object>] {
        problems = []
        if let failure { throw failure }
        buffer.append(bytes)
        var outcomes: [EventOutcome<Object>] = []
        do {
            while let frame = try buffer.next() {
                let outcome = try read(frame)
                outcomes.append(outcome)
                if case .problem(let problem) = outcome { problems.append(problem) }
            }
        } catch {
            failure = error
            buffer.removeAll()
            if outcomes.isEmpty { throw error }
            return outcomes
        }
        buffer.compact()
        return outcomes
    }

    private func read(_ frame: WireBytes) throws(WireError) -> EventOutcome<Object> {
        switch contentType {
        case .json: try JSONText.decode(JSONEvent<Object>.self, from: frame.data).outcome
        case .protobuf: try ProtobufEvent.read(frame)
        }
    }
}

/// Splits the bytes of a watch into complete frames, in the memory in which they arrived; only a frame in several pieces is copied.
///
/// Holds at most one incomplete frame, and allocates for the bytes received, not for an announced length.
struct FrameBuffer: Sendable {
    private let contentType: ContentType
    private let maximumFrameBytes: Int
    /// From the first frame that has not been returned.
    private var buffer = ByteBuffer()
    /// How many of these bytes contain no line end.
    private var searched = 0

    private static let lengthBytes = 4

    init(contentType: ContentType, maximumFrameBytes: Int) {
        self.contentType = contentType
        self.maximumFrameBytes = maximumFrameBytes
    }

    var isEmpty: Bool { buffer.readableBytes == 0 }

    mutating func append(_ more: WireBytes) {
        if isEmpty {
            buffer = more.shared
        } else {
            buffer.discardReadBytes()
            buffer.writeBytes(more.view)
        }
    }

    /// Releases the memory of the frames that have been returned, unless an incomplete one shares it.
    mutating func compact() {
        if isEmpty { removeAll() }
    }

    mutating func removeAll() {
        buffer = ByteBuffer()
        searched = 0
    }

    /// Returns the next complete frame; nil if there is none yet.
    mutating func next() throws(WireError) -> WireBytes? {
        switch contentType {
        case .json: try nextLine()
        case .protobuf: try nextLengthDelimited()
        }
    }

    /// Returns a frame with a 4-byte big-endian length prefix.
    private mutating func nextLengthDelimited() throws(WireError) -> WireBytes? {
        guard let prefix = buffer.getInteger(at: buffer.readerIndex, as: UInt32.self) else { return nil }
        let length = Int(prefix)
        guard length <= maximumFrameBytes else { throw tooLarge("\(length) bytes") }
        let end = FrameBuffer.lengthBytes + length
        guard buffer.readableBytes >= end else { return nil }
        defer { buffer.moveReaderIndex(forwardBy: end) }
        return WireBytes(buffer)[FrameBuffer.lengthBytes..<end]
    }

    /// Returns a line that is not blank, without its line end.
    private mutating func nextLine() throws(WireError) -> WireBytes? {
        while let length = lineLength() {
            guard length <= maximumFrameBytes else { throw tooLarge("\(length) bytes") }
            let line = WireBytes(buffer)[0..<length]
            buffer.moveReaderIndex(forwardBy: length + 1)
            searched = 0
            let isBlank = line.view.allSatisfy { $0 == UInt8(ascii: "\r") || $0 == UInt8(ascii: " ") }
            if !isBlank { return line }
        }
        searched = buffer.readableBytes
        guard searched <= maximumFrameBytes else { throw tooLarge("\(searched) or more bytes") }
        return nil
    }

    private func lineLength() -> Int? {
        let view = buffer.readableBytesView
        guard let end = view.dropFirst(searched).firstIndex(of: UInt8(ascii: "\n")) else { return nil }
        return end - view.startIndex
    }

    private func tooLarge(_ size: String) -> WireError {
        WireError(message: "event of \(size) exceeds the limit of \(maximumFrameBytes) bytes")
    }
}
