/// What a server says of itself and of its client: `NAME CLIENTADDRESS`.
struct Answer {
    let name: String
    let client: String

    init(name: String, client: String) {
        self.name = name
        self.client = client
    }

    init(parsing text: String) throws(Failure) {
        let words = text.split(whereSeparator: \.isWhitespace).map(String.init)
        guard words.count == 2, SocketAddress(host: words[1], port: 0) != nil else { throw Failure.wrongAnswer }
        self.init(name: words[0], client: words[1])
    }

    var text: String { "\(name) \(client)" }
}

/// As much of HTTP/1.1 as a request without a body and an answer with a length need.
struct HTTPHead {
    let start: [String]
    private let fields: [String: String]

    /// Takes a complete head off the front of what was received; nil where it is not complete yet.
    static func take(from received: inout [UInt8]) -> HTTPHead? {
        let end = Array("\r\n\r\n".utf8)
        guard let index = received.indices.first(where: { received[$0...].starts(with: end) }) else { return nil }
        let head = String(decoding: received[..<index], as: UTF8.self)
        received.removeFirst(index + end.count)
        return HTTPHead(head.split(separator: "\r\n").map(String.init))
    }

    private init(_ lines: [String]) {
        start = (lines.first ?? "").split(separator: " ").map(String.init)
        var fields: [String: String] = [:]
        for line in lines.dropFirst() {
            let parts = line.split(separator: ":", maxSplits: 1)
            guard parts.count == 2 else { continue }
            fields[parts[0].lowercased()] = String(parts[1].drop(while: \.isWhitespace)).lowercased()
        }
        self.fields = fields
    }

    func field(_ name: String) -> String? { fields[name] }

    /// Whether a request wants its connection kept for the next one.
    var keepsAlive: Bool {
        start.last == "HTTP/1.0" ? field("connection") == "keep-alive" : field("connection") != "close"
    }
}

enum HTTP {
    static func request(to destination: SocketAddress, keepAlive: Bool) -> [UInt8] {
        let host = destination.host
        let connection = keepAlive ? "keep-alive" : "close"
        return lines(
            "GET / HTTP/1.1", "Host: \(host.contains(":") ? "[\(host)]" : host)", "Connection: \(connection)", body: "")
    }

    static func response(_ answer: Answer, keepAlive: Bool) -> [UInt8] {
        let body = answer.text + "\n"
        let connection = keepAlive ? "keep-alive" : "close"
        return lines(
            "HTTP/1.1 200 OK", "Content-Type: text/plain", "Content-Length: \(body.utf8.count)",
            "Connection: \(connection)", body: body)
    }

    private static func lines(_ head: String..., body: String) -> [UInt8] {
        Array((head.map { $0 + "\r\n" }.joined() + "\r\n" + body).utf8)
    }
}

/// Puts an HTTP response together from what arrives, piece by piece.
struct HTTPResponseReader {
    private var received: [UInt8] = []
    private var head: HTTPHead?

    mutating func append(_ bytes: [UInt8]) {
        received += bytes
    }

    /// The next complete response's answer; nil where more must arrive first.
    mutating func takeAnswer() throws(Failure) -> Answer? {
        if head == nil { head = HTTPHead.take(from: &received) }
        guard let head else { return nil }
        guard head.start.dropFirst().first == "200",
            let length = head.field("content-length").flatMap({ Int($0) }), length >= 0
        else { throw Failure.wrongAnswer }
        guard received.count >= length else { return nil }
        let body = String(decoding: received[..<length], as: UTF8.self)
        received.removeFirst(length)
        self.head = nil
        return try Answer(parsing: body)
    }
}
