import NIOCore
import NIOHTTP1

/// A request, as parsed by a test API server.
struct TestRequest: Sendable {
    let method: HTTPMethod
    let target: String
    let path: String
    let headers: HTTPHeaders
    /// Its place in the API; nil for other paths.
    let place: ServerStore.Place?
    var body = ByteBuffer()
    private let query: [String: String]

    init(_ head: HTTPRequestHead) {
        method = head.method
        target = head.uri.removingEscapes
        headers = head.headers
        let parts = head.uri.split(separator: "?", maxSplits: 1)
        path = String(parts.first ?? "").removingEscapes
        place = TestRequest.place(path.split(separator: "/").map(String.init))
        var query: [String: String] = [:]
        for pair in parts.dropFirst().first?.split(separator: "&") ?? [] {
            let sides = pair.split(separator: "=", maxSplits: 1)
            query[String(sides[0])] = sides.count > 1 ? String(sides[1]).removingEscapes : ""
        }
        self.query = query
    }

    subscript(_ name: String) -> String? { query[name] }

    var isWatch: Bool { method == .GET && (query["watch"] == "true" || query["watch"] == "1") && place?.name == nil }

    var call: ServerCall? {
        guard let place else { return nil }
        let verb: ServerCall.Verb? =
            switch method {
            case .GET: isWatch ? .watch : place.name == nil ? .list : .get
            case .POST: .create
            case .PUT: .replace
            case .PATCH: .patch
            case .DELETE: .delete
            default: nil
            }
        return verb.map { ServerCall(verb: $0, plural: place.resource.plural) }
    }

    /// Parses `api/v1/…` or `apis/GROUP/v1/…`, followed by `namespaces/NAMESPACE/PLURAL/NAME` or a part of it.
    private static func place(_ path: [String]) -> ServerStore.Place? {
        let isCore = path.first == "api"
        guard isCore || path.first == "apis", path.count >= (isCore ? 3 : 4), path[isCore ? 1 : 2] == "v1" else { return nil }
        var rest = path.dropFirst(isCore ? 2 : 3)
        var namespace: String?
        if rest.first == "namespaces", rest.count >= 3 {
            namespace = rest[rest.startIndex + 1]
            rest = rest.dropFirst(2)
        }
        guard let plural = rest.first, rest.count <= 2, let resource = ServerResource.named(plural),
            resource.group == (isCore ? "" : path[1]), resource.isNamespaced || namespace == nil
        else { return nil }
        return ServerStore.Place(resource: resource, namespace: namespace, name: rest.dropFirst().first)
    }
}

extension String {
    /// The text with percent-encoding removed.
    fileprivate var removingEscapes: String {
        guard utf8.contains(UInt8(ascii: "%")) else { return self }
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
