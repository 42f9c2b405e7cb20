import Glibc

/// A client's socket, and the request under way on it.
final class Channel {
    private let target: Target
    private let socket: Socket
    private var unsent: ArraySlice<UInt8> = []
    private var response = HTTPResponseReader()
    private(set) var askedAt = ContinuousClock.now
    private(set) var isAsking = false

    init(_ target: Target) throws(Failure) {
        self.target = target
        let sourcePort = target.sourcePort ?? (target.transport == .tcp ? 0 : SourcePorts.next())
        socket = try Socket(target.transport, family: target.destination.family)
        if target.source != nil || sourcePort != 0 {
            let source = target.source ?? .any(family: target.destination.family)
            try socket.bind(to: source.with(port: sourcePort))
        }
        try socket.connect(to: target.destination)
    }

    /// Begins a request; `advance` does the rest.
    func ask(keepAlive: Bool) {
        unsent =
            target.transport == .tcp
            ? HTTP.request(to: target.destination, keepAlive: keepAlive, bodySize: target.size)[...]
            : Padding.fill(Array("who\n".utf8), to: target.size)[...]
        isAsking = true
        askedAt = .now
    }

    var deadline: ContinuousClock.Instant? { isAsking ? askedAt + target.timeout : nil }

    /// Between requests too there is something to hear of: the end of the connection.
    var interest: (descriptor: Int32, events: Int16) {
        (socket.descriptor, Int16(unsent.isEmpty ? POLLIN : POLLOUT))
    }

    /// Does what can be done without waiting, and tells how the request ended once it has.
    func advance() -> Result<Answer, Failure>? {
        if target.transport == .udp, !isAsking {
            discardEarlier()
            return nil
        }
        do throws(Failure) {
            guard let answer = try exchange() else {
                if let deadline, deadline <= .now { throw Failure.timedOut }
                return nil
            }
            isAsking = false
            return .success(answer)
        } catch {
            isAsking = false
            unsent = []
            return .failure(error)
        }
    }

    /// What comes between a socket's requests is about one that has ended already.
    private func discardEarlier() {
        _ = socket.pendingError
        // An error ends it like an empty socket: it belongs to a request that has ended as well.
        while let bytes = try? socket.receive(), !bytes.isEmpty {}
    }

    private func exchange() throws(Failure) -> Answer? {
        if let failure = socket.pendingError { throw failure }
        while !unsent.isEmpty {
            guard let sent = try socket.send(unsent) else { return nil }
            unsent = unsent.dropFirst(sent)
        }
        while let bytes = try socket.receive() {
            if bytes.isEmpty { throw Failure.closed }
            guard target.transport == .tcp else {
                guard bytes.count >= target.size else { throw Failure.wrongAnswer }
                return try Answer(parsing: String(decoding: bytes, as: UTF8.self))
            }
            response.append(bytes)
            if let answer = try response.takeAnswer() { return answer }
        }
        return nil
    }
}

/// Waits until the moment at the latest, then gives every channel a chance; tells which requests ended, and how.
func advance(
    _ channels: [Channel], until moment: ContinuousClock.Instant?
) -> [(channel: Channel, outcome: Result<Answer, Failure>)] {
    let wake = (channels.compactMap(\.deadline) + [moment].compactMap(\.self)).min()
    let happened = waitForEvents(channels.map(\.interest), until: wake)
    let now = ContinuousClock.now
    return zip(channels, happened).compactMap { channel, events in
        guard events != 0 || channel.deadline.map({ $0 <= now }) == true else { return nil }
        return channel.advance().map { (channel, $0) }
    }
}
