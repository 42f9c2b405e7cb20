import NIOCore

/// What goes out on a watch that is open.
enum WatchItem: Sendable {
    case bytes(ByteBuffer)
    /// Ends the answer as it should be ended.
    case end
    /// Breaks the connection off.
    case cut
    /// Nothing goes out any more, and the connection stays.
    case hang
}
