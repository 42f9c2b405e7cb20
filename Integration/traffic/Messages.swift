/// The response of a server with its name and the client address: `NAME CLIENTADDRESS`.
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

/// The subset of HTTP/1.1 for requests and responses with a content length.
struct HTTPHead {
    let start: [String]
    private let fields: [String: String]

    /// Takes a complete head from the received bytes; nil if it is not complete yet.
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
    static func request(to destination: SocketAddress, keepAlive: Bool, bodySize: Int) -> [UInt8] {
        let host = destination.host
        let connection = keepAlive ? "keep-alive" : "close"
        return lines(
            bodySize == 0 ? "GET / HTTP/1.1" : "POST / HTTP/1.1", "Host: \(host.contains(":") ? "[\(host)]" : host)",
            "Content-Length: \(bodySize)", "Connection: \(connection)", body: "") + Padding.fill([], to: bodySize)
    }

    /// Returns a response with a body as large as that of the request.
    static func response(_ answer: Answer, keepAlive: Bool, bodySize: Int) -> [UInt8] {
        let body = String(decoding: Padding.fill(Array((answer.text + "\n").utf8), to: bodySize), as: UTF8.self)
        let connection = keepAlive ? "keep-alive" : "close"
        return lines(
            "HTTP/1.1 200 OK", "Content-Type: text/plain", "Content-Length: \(body.utf8.count)",
            "Connection: \(connection)", body: body)
    }

    private static func lines(_ head: String..., body: String) -> [UInt8] {
        Array((head.map { $0 + "\r\n" }.joined() + "\r\n" + body).utf8)
    }
}

/// A complete request with its body.
struct HTTPRequest {
    let head: HTTPHead
    let bodySize: Int

    /// Takes a complete request from the received bytes; nil if it is not complete yet.
    static func take(from received: inout [UInt8]) -> HTTPRequest? {
        var rest = received
        guard let head = HTTPHead.take(from: &rest) else { return nil }
        let bodySize = max(0, head.field("content-length").flatMap { Int($0) } ?? 0)
        guard rest.count >= bodySize else { return nil }
        rest.removeFirst(bodySize)
        received = rest
        return HTTPRequest(head: head, bodySize: bodySize)
    }
}

/// Pads messages to a size.
enum Padding {
    static func fill(_ bytes: [UInt8], to size: Int) -> [UInt8] {
        bytes + Array(repeating: UInt8(ascii: " "), count: max(0, size - bytes.count))
    }
}

/// Assembles HTTP responses from received data.
struct HTTPResponseReader {
    private var received: [UInt8] = []
    private var head: HTTPHead?

    mutating func append(_ bytes: [UInt8]) {
        received += bytes
    }

    /// Returns the answer of the next complete response; nil if it is not complete yet.
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
