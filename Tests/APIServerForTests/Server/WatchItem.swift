import NIOCore

/// An item to send on an open watch.
enum WatchItem: Sendable {
    case bytes(ByteBuffer)
    /// Ends the response properly.
    case end
    /// Closes the connection abruptly.
    case cut
    /// Sends nothing more and keeps the connection open.
    case hang
}
