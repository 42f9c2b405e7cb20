internal import FoundationEssentials

/// Reads the stream of a watch as its bytes arrive, wherever they are cut.
///
/// In JSON an event is a line. In protobuf it is a frame: a 4-byte length, the most significant byte first, and a `meta/v1` WatchEvent.
public struct WatchDecoder<Object: APIObject>: Sendable {
    /// What was wrong with objects of the last `feed`. Where one has no name, nobody knows which object has changed, and only
    /// a list tells.
    public private(set) var problems: [WireProblem] = []

    /// Why the stream cannot be read any further; the next `feed` throws it.
    public private(set) var failure: WireError?

    private let contentType: ContentType
    private var buffer: FrameBuffer

    public init(contentType: ContentType, maximumFrameBytes: Int = 16 << 20) {
        self.contentType = contentType
        buffer = FrameBuffer(contentType: contentType, maximumFrameBytes: maximumFrameBytes)
    }

    /// Whether the stream may end here: no event has been cut and nothing has failed.
    public var isAtFrameBoundary: Bool { buffer.isEmpty && failure == nil }

    /// Takes the next bytes and hands on the events that they complete, in order.
    ///
    /// An object that cannot be read is told in `problems`, and the events around it are handed on. What is no event at all is the
    /// end of the stream: events before it in the same bytes are still handed on, `failure` is set, and the next call throws it.
    public mutating func feed(_ bytes: some Sequence<UInt8>) throws(WireError) -> [WatchEvent<Object>] {
        try outcomes(bytes).compactMap { outcome in
            if case .event(let event) = outcome { event } else { nil }
        }
    }

    /// As `feed`, with the problems where they belong among the events: an object that cannot be read before the end of a list is part of
    /// that list.
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
