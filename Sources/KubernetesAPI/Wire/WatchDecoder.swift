internal import FoundationEssentials

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
        try outcomes(bytes).compactMap { outcome in
            if case .event(let event) = outcome { event } else { nil }
        }
    }

    /// As `feed`, with the problems in order among the events: an object that fails to decode before the end of a list is part of that
    /// list.
    mutating func outcomes(_ bytes: some Sequence<UInt8>) throws(WireError) -> [EventOutcome<Object>] {
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

    private func read(_ frame: ArraySlice<UInt8>) throws(WireError) -> EventOutcome<Object> {
        switch contentType {
        case .json: try JSONText.decode(JSONEvent<Object>.self, from: Data(frame)).outcome
        case .protobuf: try ProtobufEvent.read(frame)
        }
    }
}

/// Buffers the bytes of a watch and splits them into complete frames.
///
/// Holds at most one incomplete frame, and allocates for the bytes received, not for an announced length.
struct FrameBuffer: Sendable {
    private let contentType: ContentType
    private let maximumFrameBytes: Int
    private var bytes: [UInt8] = []
    /// The start of the first frame that has not been returned.
    private var start = 0
    /// The position up to which no line end was found.
    private var searched = 0

    private static let lengthBytes = 4
    /// The maximum capacity to keep between frames.
    private static let keptCapacity = 1 << 20

    init(contentType: ContentType, maximumFrameBytes: Int) {
        self.contentType = contentType
        self.maximumFrameBytes = maximumFrameBytes
    }

    var isEmpty: Bool { start == bytes.count }

    mutating func append(_ more: some Sequence<UInt8>) {
        bytes.append(contentsOf: more)
    }

    /// Discards the frames that have been returned.
    mutating func compact() {
        guard start > 0 else { return }
        if isEmpty {
            bytes.removeAll(keepingCapacity: bytes.capacity <= FrameBuffer.keptCapacity)
        } else {
            bytes.removeFirst(start)
        }
        searched = max(0, searched - start)
        start = 0
    }

    mutating func removeAll() {
        bytes = []
        start = 0
        searched = 0
    }

    /// Returns the next complete frame; nil if there is none yet.
    mutating func next() throws(WireError) -> ArraySlice<UInt8>? {
        switch contentType {
        case .json: try nextLine().map { bytes[$0] }
        case .protobuf: try nextLengthDelimited().map { bytes[$0] }
        }
    }

    /// Returns the range of a frame with a 4-byte big-endian length prefix.
    private mutating func nextLengthDelimited() throws(WireError) -> Range<Int>? {
        guard bytes.count - start >= FrameBuffer.lengthBytes else { return nil }
        var length = 0
        for index in start..<start + FrameBuffer.lengthBytes { length = length << 8 | Int(bytes[index]) }
        guard length <= maximumFrameBytes else { throw tooLarge("\(length) bytes") }
        let first = start + FrameBuffer.lengthBytes
        guard bytes.count - first >= length else { return nil }
        start = first + length
        return first..<start
    }

    /// Returns the range of a line that is not blank, without its line end.
    private mutating func nextLine() throws(WireError) -> Range<Int>? {
        while let end = lineEnd() {
            let line = start..<end
            guard line.count <= maximumFrameBytes else { throw tooLarge("\(line.count) bytes") }
            start = end + 1
            searched = start
            let isBlank = bytes[line].allSatisfy { $0 == UInt8(ascii: "\r") || $0 == UInt8(ascii: " ") }
            if !isBlank { return line }
        }
        searched = bytes.count
        guard bytes.count - start <= maximumFrameBytes else { throw tooLarge("\(bytes.count - start) or more bytes") }
        return nil
    }

    private func lineEnd() -> Int? {
        bytes[max(start, searched)...].firstIndex(of: UInt8(ascii: "\n"))
    }

    private func tooLarge(_ size: String) -> WireError {
        WireError(message: "event of \(size) exceeds the limit of \(maximumFrameBytes) bytes")
    }
}
