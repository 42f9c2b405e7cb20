import Glibc

/// Answers on all configured ports, for IPv4 and IPv6, in one thread.
final class Server {
    private let name: String
    private let delay: Duration
    private var listeners: [(transport: Transport, socket: Socket)] = []
    private var connections: [Int32: ServedConnection] = [:]
    /// In the order of their due times, because all have the same delay.
    private var datagrams: [(due: ContinuousClock.Instant, request: Datagram, socket: Socket)] = []

    init(_ options: ServeOptions) throws {
        name = options.name
        delay = options.delay
        listeners = try options.ports.map { ($0.transport, try Server.listen($0.transport, $0.port)) }
    }

    private static func listen(_ transport: Transport, _ port: UInt16) throws -> Socket {
        let hasIPv6 = access("/proc/sys/net/ipv6", F_OK) == 0
        let family = hasIPv6 ? AF_INET6 : AF_INET
        let socket = try Socket(transport, family: family)
        if hasIPv6 { try socket.set(Int32(IPV6_V6ONLY), 0, level: Int32(IPPROTO_IPV6)) }
        try socket.set(SO_REUSEADDR, 1)
        try socket.bind(to: .any(family: family).with(port: port))
        if transport == .udp { try socket.receivePacketInformation(family: family) } else { try socket.listen() }
        return socket
    }

    func run() -> Never {
        while true {
            let waiting = Array(connections.values)
            let interests =
                listeners.map { ($0.socket.descriptor, Int16(POLLIN)) }
                + waiting.map { ($0.socket.descriptor, $0.events) }
            let happened = waitForEvents(interests, until: nextReplyDue)
            for (listener, events) in zip(listeners, happened) where events != 0 {
                take(from: listener.socket, listener.transport)
            }
            for (connection, events) in zip(waiting, happened.dropFirst(listeners.count)) where events != 0 {
                connection.receive(events)
            }
            sendDueReplies()
        }
    }

    private var nextReplyDue: ContinuousClock.Instant? {
        let dues = connections.values.compactMap(\.nextReplyDue) + datagrams.prefix(1).map(\.due)
        return dues.min()
    }

    private func take(from socket: Socket, _ transport: Transport) {
        if transport == .udp {
            takeDatagrams(from: socket)
            return
        }
        while let (accepted, peer) = socket.accept() {
            let answer = Answer(name: name, client: peer.host)
            connections[accepted.descriptor] = ServedConnection(accepted, transport, answer, delay: delay)
        }
    }

    private func takeDatagrams(from socket: Socket) {
        // An error belongs to an earlier reply to a closed socket, not to the next datagram.
        while let received = try? socket.receiveDatagram() {
            datagrams.append((.now + delay, received, socket))
        }
    }

    private func sendDueReplies() {
        let now = ContinuousClock.now
        while let next = datagrams.first, next.due <= now {
            let answer = Array(Answer(name: name, client: next.request.sender.host).text.utf8)
            next.socket.send(Padding.fill(answer, to: next.request.bytes.count), inAnswerTo: next.request)
            datagrams.removeFirst()
        }
        for (descriptor, connection) in connections {
            connection.sendDueReplies(now)
            if connection.isOver { connections[descriptor] = nil }
        }
    }
}

/// One accepted TCP or SCTP connection.
private final class ServedConnection {
    let socket: Socket
    private let transport: Transport
    private let answer: Answer
    private let delay: Duration
    private var received: [UInt8] = []
    private var replies: [Reply] = []
    private var takesRequests = true
    private var isBroken = false

    private struct Reply {
        let due: ContinuousClock.Instant
        var unsent: ArraySlice<UInt8>
    }

    init(_ socket: Socket, _ transport: Transport, _ answer: Answer, delay: Duration) {
        self.socket = socket
        self.transport = transport
        self.answer = answer
        self.delay = delay
    }

    /// Whether the connection is finished. A client may shut down its side first and still wait for replies.
    var isOver: Bool { isBroken || !takesRequests && replies.isEmpty }

    /// The events to wait for. A due reply waits for send buffer space.
    var events: Int16 {
        let reading = takesRequests ? Int16(POLLIN) : 0
        guard let reply = replies.first, reply.due <= .now else { return reading }
        return reading | Int16(POLLOUT)
    }

    var nextReplyDue: ContinuousClock.Instant? {
        guard let reply = replies.first, reply.due > .now else { return nil }
        return reply.due
    }

    func receive(_ events: Int16) {
        if events & Int16(POLLERR | POLLNVAL) != 0 { isBroken = true }
        do {
            while takesRequests, !isBroken, let bytes = try socket.receive() {
                if bytes.isEmpty { takesRequests = false } else { take(bytes) }
            }
        } catch {
            isBroken = true
        }
    }

    private func take(_ bytes: [UInt8]) {
        guard transport == .tcp else {
            reply(Array(answer.text.utf8))
            return
        }
        received += bytes
        while takesRequests, let request = HTTPRequest.take(from: &received) {
            takesRequests = request.head.keepsAlive
            reply(HTTP.response(answer, keepAlive: takesRequests, bodySize: request.bodySize))
        }
    }

    private func reply(_ bytes: [UInt8]) {
        replies.append(Reply(due: .now + delay, unsent: bytes[...]))
    }

    func sendDueReplies(_ now: ContinuousClock.Instant) {
        do {
            while !isBroken, let reply = replies.first, reply.due <= now {
                guard let sent = try socket.send(reply.unsent) else { return }
                replies[0].unsent = reply.unsent.dropFirst(sent)
                if replies[0].unsent.isEmpty { replies.removeFirst() }
            }
        } catch {
            isBroken = true
        }
    }
}
