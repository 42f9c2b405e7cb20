/// Sends requests, each on a separate socket, and counts their results.
func ask(_ options: AskOptions) -> Tally {
    var tally = Tally()
    var end = options.end
    var channels: [Channel] = []
    var started = 0
    var nextStart = ContinuousClock.now

    /// Starts a request; one that fails to start counts as ended.
    func start() {
        let now = ContinuousClock.now
        started += 1
        nextStart = now + options.interval
        do {
            let channel = try Channel(options.target)
            channel.ask(keepAlive: false)
            channels.append(channel)
        } catch {
            tally.count(.failure(error), after: .now - now)
        }
    }

    while true {
        let isOver = end.hasCome(afterRequests: started)
        if isOver && channels.isEmpty { break }
        let mayStart = !isOver && channels.count < options.concurrency
        if mayStart && nextStart <= .now {
            start()
            continue
        }
        for (channel, outcome) in advance(channels, until: mayStart ? nextStart : nil) {
            tally.count(outcome, after: .now - channel.startedAt)
            channels.removeAll { $0 === channel }
        }
    }
    return tally
}

/// Keeps connections open, sends a request on each at every interval and one after the end, and counts the results.
///
/// A UDP socket is kept even if requests fail.
func hold(_ options: HoldOptions) throws -> Tally {
    var tally = Tally()
    var end = options.end
    let isUDP = options.target.transport == .udp
    var channels = try (0..<options.connections).map { _ in try Channel(options.target) }
    var lastReported = ""
    var round = ContinuousClock.now
    var isLastRound = false

    while !channels.isEmpty {
        if round <= .now {
            if end.hasCome() {
                if !channels.contains(where: \.isWaiting) {
                    if isLastRound { break }
                    isLastRound = true
                    channels.forEach { $0.ask(keepAlive: true) }
                }
            } else {
                channels.filter { !$0.isWaiting }.forEach { $0.ask(keepAlive: true) }
            }
            round = .now + options.interval
        }
        for (channel, outcome) in advance(channels, until: round) {
            tally.count(outcome, after: .now - channel.startedAt)
            if options.follow, outcome.reported != lastReported {
                lastReported = outcome.reported
                writeLine(lastReported)
            }
            if case .failure = outcome, !isUDP { channels.removeAll { $0 === channel } }
        }
    }
    return tally
}

extension Result<Answer, Failure> {
    /// The responder and the client address that it saw, or the reason of the failure.
    fileprivate var reported: String {
        switch self {
        case .success(let answer): "\(answer.name) \(answer.client)"
        case .failure(let failure): failure.description
        }
    }
}
