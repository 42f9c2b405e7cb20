import NIOHTTP1

/// An error response of a test API server.
struct TestStatus: Error, Sendable {
    var code: Int
    var reason: String
    var message: String
    var retryAfter: Int?
    /// Whether it is sent as an event of an accepted watch.
    var asEvent = false
    private var details: JSON = [:]

    init(
        _ code: Int, reason: String, message: String = "injected", retryAfter: Int? = nil, asEvent: Bool = false,
        about place: ServerStore.Place? = nil
    ) {
        self.code = code
        self.reason = reason
        self.message = message
        self.retryAfter = retryAfter
        self.asEvent = asEvent
        if let retryAfter { details["retryAfterSeconds"] = .number("\(retryAfter)") }
        guard let place else { return }
        details["name"] = place.name.map { .string($0) }
        details["group"] = place.resource.group.isEmpty ? nil : .string(place.resource.group)
        details["kind"] = .string(place.resource.plural)
    }

    init(notFound place: ServerStore.Place) {
        let message = "\(place.resource.qualifiedName) \"\(place.name ?? "")\" not found"
        self.init(404, reason: "NotFound", message: message, about: place)
    }

    static let unknownPath = TestStatus(404, reason: "NotFound", message: "the server could not find the requested resource")

    static func badRequest(_ message: String) -> TestStatus { TestStatus(400, reason: "BadRequest", message: message) }

    var json: JSON {
        var json: JSON = [
            "kind": "Status", "apiVersion": "v1", "metadata": [:], "status": "Failure", "message": .string(message),
            "reason": .string(reason),
            "code": .number("\(code)"),
        ]
        if details != [:] { json["details"] = details }
        return json
    }

    var headers: HTTPHeaders { retryAfter.map { ["Retry-After": "\($0)"] } ?? [:] }
}
