struct UsageError: Error {
    let message: String
}

/// A parser of the command line; arguments that remain at the end are errors.
struct Arguments {
    private var rest: [String]

    init(_ arguments: [String]) {
        rest = arguments
    }

    mutating func takePositional(_ what: String) throws -> String {
        guard let first = rest.first, !first.hasPrefix("--") else { throw UsageError(message: "missing \(what)") }
        return rest.removeFirst()
    }

    mutating func takeFlag(_ name: String) -> Bool {
        guard let index = rest.firstIndex(of: name) else { return false }
        rest.remove(at: index)
        return true
    }

    mutating func takeValue(_ name: String) throws -> String? {
        guard let index = rest.firstIndex(of: name) else { return nil }
        guard index + 1 < rest.count else { throw UsageError(message: "\(name) requires a value") }
        let value = rest[index + 1]
        rest.removeSubrange(index...index + 1)
        return value
    }

    mutating func takeNumber<Number: FixedWidthInteger>(_ name: String, atLeast minimum: Number = 0) throws -> Number? {
        guard let text = try takeValue(name) else { return nil }
        guard let number = Number(text), number >= minimum else {
            throw UsageError(message: "invalid \(name): \(text)")
        }
        return number
    }

    mutating func takeMilliseconds(_ name: String) throws -> Duration? {
        let number: Int? = try takeNumber(name)
        return number.map { .milliseconds($0) }
    }

    func finish() throws {
        if let extra = rest.first { throw UsageError(message: "unexpected \(extra)") }
    }
}

struct ServeOptions {
    let name: String
    let ports: [(transport: Transport, port: UInt16)]
    let delay: Duration

    init(_ arguments: inout Arguments) throws {
        guard let name = try arguments.takeValue("--name") else { throw UsageError(message: "missing --name") }
        var ports: [(Transport, UInt16)] = []
        if let port: UInt16 = try arguments.takeNumber("--http", atLeast: 1) { ports.append((.tcp, port)) }
        if let port: UInt16 = try arguments.takeNumber("--udp", atLeast: 1) { ports.append((.udp, port)) }
        if let port: UInt16 = try arguments.takeNumber("--sctp", atLeast: 1) { ports.append((.sctp, port)) }
        if ports.isEmpty { throw UsageError(message: "serve requires a port") }
        self.name = name
        self.ports = ports
        delay = try arguments.takeMilliseconds("--delay-ms") ?? .zero
        try arguments.finish()
    }
}

/// The destination and parameters of requests.
struct Target {
    let transport: Transport
    let destination: SocketAddress
    let source: SocketAddress?
    /// The source port of every request, so that all requests are from the same client.
    let sourcePort: UInt16?
    let timeout: Duration
    /// The size of a request and of its response in bytes: of a datagram, or of the body of a TCP request; shorter messages are padded.
    let size: Int

    init(_ arguments: inout Arguments) throws {
        let transport = try arguments.takePositional("transport")
        let destination = try arguments.takePositional("ADDRESS:PORT")
        guard let transport = Transport(rawValue: transport) else {
            throw UsageError(message: "unknown transport \(transport)")
        }
        guard let destination = SocketAddress(hostAndPort: destination) else {
            throw UsageError(message: "\(destination) is not ADDRESS:PORT")
        }
        self.transport = transport
        self.destination = destination
        source = try Target.takeSource(&arguments)
        sourcePort = try arguments.takeNumber("--source-port", atLeast: 1)
        timeout = try arguments.takeMilliseconds("--timeout-ms") ?? .milliseconds(10_000)
        size = try arguments.takeNumber("--size", atLeast: 0) ?? 0
    }

    private static func takeSource(_ arguments: inout Arguments) throws -> SocketAddress? {
        guard let text = try arguments.takeValue("--source") else { return nil }
        guard let source = SocketAddress(host: text, port: 0) else {
            throw UsageError(message: "\(text) is not an address")
        }
        return source
    }
}

struct AskOptions {
    let target: Target
    let end: Ending
    let concurrency: Int
    let interval: Duration
    let json: Bool

    init(_ arguments: inout Arguments) throws {
        target = try Target(&arguments)
        let count: Int? = try arguments.takeNumber("--count", atLeast: 1)
        let afterFile: Int? = try arguments.takeNumber("--then-count", atLeast: 1)
        let end = try Ending(&arguments, count: count, requestsAfterFile: afterFile ?? 0)
        self.end = end.isBounded ? end : end.after(1)
        concurrency = try arguments.takeNumber("--concurrency", atLeast: 1) ?? 1
        interval = try arguments.takeMilliseconds("--interval-ms") ?? .zero
        json = arguments.takeFlag("--json")
        try arguments.finish()
    }
}

struct HoldOptions {
    let target: Target
    let end: Ending
    let connections: Int
    let interval: Duration
    let json: Bool
    /// Whether to print the responder and the client address that it saw whenever they change.
    let follow: Bool

    init(_ arguments: inout Arguments) throws {
        target = try Target(&arguments)
        guard target.transport != .sctp else { throw UsageError(message: "hold supports only tcp and udp") }
        end = try Ending(&arguments, count: nil)
        guard end.isBounded else { throw UsageError(message: "hold requires --for-ms or --until-file") }
        connections = try arguments.takeNumber("--connections", atLeast: 1) ?? 1
        interval = try arguments.takeMilliseconds("--interval-ms") ?? .milliseconds(50)
        json = arguments.takeFlag("--json")
        follow = arguments.takeFlag("--follow")
        try arguments.finish()
    }
}
