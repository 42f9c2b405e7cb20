import Glibc

/// Server and client of the test topology: report the responder of each request and the client address that it sees.
@main
enum Traffic {
    static func main() {
        // A closed peer is an error of one call and must not end the process.
        signal(SIGPIPE, SIG_IGN)
        raiseDescriptorLimit()
        var arguments = Arguments(Array(CommandLine.arguments.dropFirst()))
        do {
            switch try arguments.takePositional("command") {
            case "serve":
                let server = try Server(try ServeOptions(&arguments))
                writeLine("listening")
                server.run()
            case "ask":
                let options = try AskOptions(&arguments)
                let tally = ask(options)
                writeLine(options.json ? tally.json : tally.summary)
                exit(tally.allAnswered ? 0 : 1)
            case "hold":
                let options = try HoldOptions(&arguments)
                let tally = try hold(options)
                if options.json {
                    writeLine(tally.json)
                } else {
                    writeLine("held \(options.connections) connections, \(tally.answered) requests, broken \(tally.failed)")
                    tally.details.forEach { writeLine($0) }
                }
                exit(tally.allAnswered ? 0 : 1)
            case "standby":
                let path = try arguments.takePositional("PATH")
                try arguments.finish()
                try standBy(at: path)
            case let other:
                throw UsageError(message: "unknown command \(other)")
            }
        } catch let error as UsageError {
            writeLine("traffic: \(error.message)\n\(usage)", to: STDERR_FILENO)
            exit(2)
        } catch {
            writeLine("traffic: \(error)", to: STDERR_FILENO)
            exit(1)
        }
    }

    private static let usage = """
        usage: traffic serve --name NAME [--http PORT] [--udp PORT] [--sctp PORT] [--delay-ms N]
               traffic ask tcp|udp|sctp ADDRESS:PORT [--count N] [--for-ms N] [--until-file PATH [--then-count N]]
                           [--concurrency N] [--interval-ms N] [--timeout-ms N] [--source ADDRESS] [--source-port PORT] [--size BYTES] [--json]
               traffic hold tcp|udp ADDRESS:PORT (--for-ms N | --until-file PATH) [--connections N] [--interval-ms N]
                            [--timeout-ms N] [--source ADDRESS] [--source-port PORT] [--size BYTES] [--follow] [--json]
               traffic standby PATH
        """

    /// Raises the soft limit of descriptors, which is too low for hundreds of connections.
    private static func raiseDescriptorLimit() {
        var limit = rlimit()
        guard getrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit) == 0 else { return }
        limit.rlim_cur = limit.rlim_max
        _ = setrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit)
    }
}

/// Writes a line without buffering: the reader of a pipe must not wait for a buffer to fill.
func writeLine(_ line: String, to descriptor: Int32 = STDOUT_FILENO) {
    var rest = Array((line + "\n").utf8)[...]
    while !rest.isEmpty {
        let written = rest.withUnsafeBytes { write(descriptor, $0.baseAddress, $0.count) }
        if written < 0 && errno == EINTR { continue }
        guard written > 0 else { return }
        rest = rest.dropFirst(written)
    }
}
