import Glibc

/// Runs commands from a Unix socket forever: clients write `ask …` or `hold …`, one per line, and read a line of JSON for each.
///
/// Starting a process in a network namespace takes half a second in a user-space kernel; a running one answers in a millisecond.
func standBy(at path: String) throws -> Never {
    let listener = try Socket(listeningAt: path)
    writeLine("listening")
    while true {
        _ = waitForEvents([(listener.descriptor, Int16(POLLIN))], until: nil)
        while let (socket, _) = listener.accept() { serveCommands(on: socket) }
    }
}

/// Runs commands until the client closes its side.
private func serveCommands(on socket: Socket) {
    var received: [UInt8] = []
    while true {
        _ = waitForEvents([(socket.descriptor, Int16(POLLIN))], until: nil)
        do {
            while let bytes = try socket.receive() {
                if bytes.isEmpty { return }
                received += bytes
                while let end = received.firstIndex(of: UInt8(ascii: "\n")) {
                    let command = String(decoding: received[..<end], as: UTF8.self)
                    received.removeFirst(end + 1)
                    writeLine(run(command), to: socket.descriptor)
                }
            }
        } catch {
            return
        }
    }
}

private func run(_ command: String) -> String {
    do {
        var arguments = Arguments(command.split(separator: " ").map(String.init))
        switch try arguments.takePositional("command") {
        case "ask": return ask(try AskOptions(&arguments)).json
        case "hold": return try hold(try HoldOptions(&arguments)).json
        case let other: throw UsageError(message: "unknown command \(other)")
        }
    } catch {
        return "{\"error\":\"\(error)\"}"
    }
}
