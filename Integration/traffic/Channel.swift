import Glibc

/// A client's socket and its current request.
final class Channel {
    private let target: Target
    private let socket: Socket
    private var unsent: ArraySlice<UInt8> = []
    private var response = HTTPResponseReader()
    private(set) var startedAt = ContinuousClock.now
    private(set) var isWaiting = false

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

    /// Starts a request; `advance` continues it.
    func ask(keepAlive: Bool) {
        unsent =
            target.transport == .tcp
            ? HTTP.request(to: target.destination, keepAlive: keepAlive, bodySize: target.size)[...]
            : Padding.fill(Array("who\n".utf8), to: target.size)[...]
        isWaiting = true
        startedAt = .now
    }

    var deadline: ContinuousClock.Instant? { isWaiting ? startedAt + target.timeout : nil }

    /// The events to wait for; also between requests, to detect the end of the connection.
    var interest: (descriptor: Int32, events: Int16) {
        (socket.descriptor, Int16(unsent.isEmpty ? POLLIN : POLLOUT))
    }

    /// Continues the request without waiting, and returns its result once it has ended.
    func advance() -> Result<Answer, Failure>? {
        if target.transport == .udp, !isWaiting {
            discardEarlier()
            return nil
        }
        do throws(Failure) {
            guard let answer = try exchange() else {
                if let deadline, deadline <= .now { throw Failure.timedOut }
                return nil
            }
            isWaiting = false
            return .success(answer)
        } catch {
            isWaiting = false
            unsent = []
            return .failure(error)
        }
    }

    /// Discards data between requests, which belongs to an earlier request.
    private func discardEarlier() {
        _ = socket.pendingError
        // An error also belongs to an earlier request, and ends the loop like an empty socket.
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

/// Waits at most until the given time, then continues every channel; returns the ended requests and their results.
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
