import Glibc

/// Makes requests for others, for ever: they write commands, `ask …` or `hold …`, to a Unix socket, one a line, and read a line of JSON for each.
///
/// To start a process in a network namespace takes half a second in a user-space kernel; one that is there already answers in a millisecond.
func standBy(at path: String) throws -> Never {
    let listener = try Socket(listeningAt: path)
    writeLine("listening")
    while true {
        _ = waitForEvents([(listener.descriptor, Int16(POLLIN))], until: nil)
        while let (socket, _) = listener.accept() { serveOrders(on: socket) }
    }
}

/// Until whoever gives them ends their side.
private func serveOrders(on socket: Socket) {
    var received: [UInt8] = []
    while true {
        _ = waitForEvents([(socket.descriptor, Int16(POLLIN))], until: nil)
        do {
            while let bytes = try socket.receive() {
                if bytes.isEmpty { return }
                received += bytes
                while let end = received.firstIndex(of: UInt8(ascii: "\n")) {
                    let order = String(decoding: received[..<end], as: UTF8.self)
                    received.removeFirst(end + 1)
                    writeLine(carryOut(order), to: socket.descriptor)
                }
            }
        } catch {
            return
        }
    }
}

private func carryOut(_ order: String) -> String {
    do {
        var arguments = Arguments(order.split(separator: " ").map(String.init))
        switch try arguments.takePositional("command") {
        case "ask": return ask(try AskOptions(&arguments)).json
        case "hold": return try hold(try HoldOptions(&arguments)).json
        case let other: throw UsageError(message: "nobody stands by for \(other)")
        }
    } catch {
        return "{\"error\":\"\(error)\"}"
    }
}
