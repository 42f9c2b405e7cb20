import NIOHTTP1

/// A request as a test API server reads it.
struct TestRequest {
    let method: HTTPMethod
    let target: String
    let authorization: String?
    private let query: [String: String]
    let plural: String

    init(_ head: HTTPRequestHead) {
        method = head.method
        target = head.uri.removingEscapes
        authorization = head.headers.first(name: "authorization")
        let parts = head.uri.split(separator: "?", maxSplits: 1)
        plural = String(parts.first?.split(separator: "/").last ?? "")
        var query: [String: String] = [:]
        for pair in parts.dropFirst().first?.split(separator: "&") ?? [] {
            let sides = pair.split(separator: "=", maxSplits: 1)
            query[String(sides[0])] = sides.count > 1 ? String(sides[1]).removingEscapes : ""
        }
        self.query = query
    }

    subscript(_ name: String) -> String? { query[name] }

    var call: ServerCall { query["watch"] == "true" ? .watch(plural) : .list(plural) }
}

extension String {
    /// Without percent-encoding.
    fileprivate var removingEscapes: String {
        var bytes: [UInt8] = []
        var rest = Array(utf8)[...]
        while let byte = rest.popFirst() {
            if byte == UInt8(ascii: "%"), let value = UInt8(String(decoding: rest.prefix(2), as: UTF8.self), radix: 16) {
                bytes.append(value)
                rest = rest.dropFirst(2)
            } else {
                bytes.append(byte)
            }
        }
        return String(decoding: bytes, as: UTF8.self)
    }
}
