/// Makes requests, each on a socket of its own, prints how they ended, and tells whether all were answered.
func ask(_ options: AskOptions) -> Bool {
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
            let port = options.target.transport == .tcp ? 0 : SourcePorts.next()
            let channel = try Channel(options.target, sourcePort: port)
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
    writeLine(options.json ? tally.json : tally.summary)
    return tally.allAnswered
}

/// Keeps connections and asks on each at every interval, prints how they fared, and tells whether all lasted.
///
/// A TCP connection ends with its first failure; a UDP socket goes on, however many of its requests are lost.
func hold(_ options: HoldOptions) throws -> Bool {
    var tally = Tally()
    var channels = try (0..<options.connections).map { _ in try Channel(options.target) }
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
            if case .failure = outcome, options.target.transport == .tcp { channels.removeAll { $0 === channel } }
        }
    }
    if options.json {
        writeLine(tally.json)
    } else {
        writeLine("held \(options.connections) connections, \(tally.answered) requests, broken \(tally.failed)")
        tally.details.forEach { writeLine($0) }
    }
    return tally.allAnswered
}
