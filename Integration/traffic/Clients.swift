/// Makes requests, each on a socket of its own, and counts how they ended.
func ask(_ options: AskOptions) -> Tally {
    var tally = Tally()
    var channels: [Channel] = []
    var started = 0
    var nextStart = ContinuousClock.now

    /// Starts a request; one that cannot even begin has ended.
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
        let isOver = options.end.hasCome(afterRequests: started)
        if isOver && channels.isEmpty { break }
        let mayStart = !isOver && channels.count < options.concurrency
        if mayStart && nextStart <= .now {
            start()
            continue
        }
        for (channel, outcome) in advance(channels, until: mayStart ? nextStart : nil) {
            tally.count(outcome, after: .now - channel.askedAt)
            channels.removeAll { $0 === channel }
        }
    }
    return tally
}

/// Keeps connections, asks on each at every interval, and counts how they fared.
///
/// A socket for datagrams lasts, whatever comes of its requests.
func hold(_ options: HoldOptions) throws -> Tally {
    var tally = Tally()
    let isUDP = options.target.transport == .udp
    var channels = try (0..<options.connections).map { _ in try Channel(options.target) }
    var lastReported = ""
    var round = ContinuousClock.now

    while !channels.isEmpty {
        if round <= .now {
            if options.end.hasCome() {
                if !channels.contains(where: \.isAsking) { break }
            } else {
                channels.filter { !$0.isAsking }.forEach { $0.ask(keepAlive: true) }
            }
            round = .now + options.interval
        }
        for (channel, outcome) in advance(channels, until: round) {
            tally.count(outcome, after: .now - channel.askedAt)
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
    /// Who answered, or why nobody did.
    fileprivate var reported: String {
        switch self {
        case .success(let answer): answer.name
        case .failure(let failure): failure.description
        }
    }
}
