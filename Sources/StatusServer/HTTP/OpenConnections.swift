internal import NIOCore
internal import Synchronization

/// The connections of one or several listeners, within a limit: where one too many comes, the oldest one goes.
///
/// Clients that open connections and keep them cannot use up this process's descriptors, nor keep others out: whoever connects is answered at once, long
/// before it is the oldest.
public final class OpenConnections: Sendable {
    private struct Entry {
        var channel: any Channel
        var listener: ObjectIdentifier
    }

    private struct State {
        var entries: [UInt64: Entry] = [:]
        var next: UInt64 = 0
    }

    private let limit: Int
    private let state = Mutex(State())

    public init(limit: Int) { self.limit = limit }

    public var count: Int { state.withLock(\.entries.count) }

    func admit(_ channel: any Channel, of listener: ObjectIdentifier) {
        let (number, oldest) = state.withLock { state in
            defer { state.next += 1 }
            state.entries[state.next] = Entry(channel: channel, listener: listener)
            guard state.entries.count > limit, let first = state.entries.keys.min() else { return (state.next, nil as Entry?) }
            return (state.next, state.entries.removeValue(forKey: first))
        }
        oldest?.channel.close(promise: nil)
        channel.closeFuture.whenComplete { _ in _ = self.state.withLock { $0.entries.removeValue(forKey: number) } }
    }

    func closeAll(of listener: ObjectIdentifier) {
        let closing = state.withLock { state in state.entries.values.filter { $0.listener == listener } }
        for entry in closing { entry.channel.close(promise: nil) }
    }
}
